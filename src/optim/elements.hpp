// What the optimizers share: checked coefficients and sizes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "core/sums.hpp"
#include "core/vector_clones.hpp"
#include "lockstep/options.hpp"

namespace lockstep {

/// betas = [b1, b2], two numbers in [0, 1). Errors: config, naming the key.
[[nodiscard]] std::array<double, 2> betas_of(const Options& options);

/// An update goes over its elements in strips: asks for the memory of a coming strip and returns the end of the one at
/// `begin`. Other ranks have written their part of the gradient and read the weights since the last update.
inline std::size_t end_of_strip(std::span<const float> weights, const PairSum& gradient, std::size_t begin) noexcept {
  fetch_to_read(gradient.far(), begin);
  fetch_to_write(weights.data(), begin);
  return std::min(begin + kFetchStrip, weights.size());
}

/// Errors: usage, unless gradient and all `num_slots` slots are as long as the weights.
void check_update(std::span<const float> weights, const PairSum& gradient, std::span<const std::span<float>> slots,
                  std::size_t num_slots);

}  // namespace lockstep
