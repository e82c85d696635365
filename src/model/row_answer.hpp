// What a row answers and how much it counts, for all scores alike.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>

#include "model/loss.hpp"

namespace lockstep {

/// The class that a row of outputs answers: the first of the largest; none where one is NaN.
[[nodiscard]] inline std::optional<std::size_t> answer_of(std::span<const float> row) {
  if (std::any_of(row.begin(), row.end(), [](float value) { return std::isnan(value); })) return std::nullopt;
  return static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

/// The weight of sample `row`.
[[nodiscard]] inline double weight_of(const Targets& targets, std::size_t row) {
  return targets.weights.empty() ? 1.0 : double{targets.weights[row]};
}

}  // namespace lockstep
