// What a net's outputs say: probabilities and labels, or values in the targets' own units.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/loss.hpp"
#include "model/metrics.hpp"

namespace lockstep {

/// Of some samples that follow each other. Which are there depends on the task.
struct Predictions {
  std::size_t rows = 0;
  std::vector<float> probabilities;  ///< classification, binary: [rows, outputs]
  std::vector<std::int64_t>
      labels;                  ///< classification: [rows], the first of the largest; binary: [rows, outputs], 0, 1
  std::vector<double> values;  ///< regression: [rows, outputs], in the targets' own units

  void clear();
};

/// Adds what `outputs` [n, width], all finite, say: the same bits for a row whatever rows stand beside it.
/// Errors: usage (shapes that do not agree).
void add_predictions(Task task, std::size_t width, std::span<const float> outputs, const TargetUnits& units,
                     Predictions& predictions);

}  // namespace lockstep
