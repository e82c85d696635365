// From a net's outputs to probabilities, and to the answers of a binary net: softmax and sigmoid as in the losses, so
// that a label here is a right answer there.
#pragma once

#include <cstddef>
#include <span>

#include "model/loss.hpp"

namespace lockstep {

/// Probabilities of classes, each row by softmax, or of each output of a binary net. Shapes: outputs, probabilities
/// [n, width].
void fill_probabilities(Task task, std::size_t width, std::span<const float> outputs, std::span<float> probabilities);

/// Whether the answer to a binary output is 1: its probability is above `threshold`; at 0.5 the logit tells it exactly.
[[nodiscard]] inline bool answers_one(double threshold, float logit, float probability) noexcept {
  return threshold == 0.5 ? logit > 0.0F : probability > threshold;
}

/// Numbers whose sign is the answer to each logit, above 0 for 1; of a NaN NaN.
void fill_answers(double threshold, std::span<const float> logits, std::span<float> answers);

}  // namespace lockstep
