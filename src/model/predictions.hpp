// What a net's outputs say: probabilities and labels, or values in the targets' own units.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/row_texts.hpp"
#include "model/loss.hpp"
#include "model/metrics.hpp"

namespace lockstep {

/// Of some samples that follow each other. Which are there depends on the task.
struct Predictions {
  std::size_t rows = 0;
  /// Classification, binary: [rows, outputs]; of a loss that gives no probabilities the outputs as they are.
  std::vector<float> probabilities;
  std::vector<std::int64_t>
      labels;                  ///< classification: [rows], the first of the largest; binary: [rows, outputs], 0, 1
  std::vector<double> values;  ///< regression: [rows, targets, answers of each], in the targets' own units
  std::span<const std::uint8_t> bad = {};  ///< [rows] 1: the sample could not be read, so there is no answer; or empty
  const RowTexts* kept = nullptr;          ///< [rows] what stands before the answer in a line of CSV; or none

  void clear();
  [[nodiscard]] bool is_bad(std::size_t row) const noexcept { return !bad.empty() && bad[row] != 0; }
};

/// Adds what `outputs` [n, width], all finite, say: the same bits for a row whatever rows stand beside it.
/// `threshold`: the probability above which a binary output is answered with 1.
/// Errors: usage (shapes that do not agree).
void add_predictions(const Loss& loss, std::size_t width, std::span<const float> outputs, const TargetUnits& units,
                     Predictions& predictions, double threshold = 0.5);

/// Of a regression: what outputs `values` [n, outputs of the net] answer, in their place.
void answer_rows(const Loss& loss, const TargetUnits& units, std::span<float> values);

}  // namespace lockstep
