// What the optimizers share: checked coefficients and sizes.
#pragma once

#include <span>
#include <string_view>

#include "core/vector_clones.hpp"
#include "lockstep/options.hpp"

namespace lockstep {

/// A finite number of at least 0. Errors: config, naming the key.
[[nodiscard]] double non_negative(const Options& options, std::string_view key, double fallback);

/// A number in [0, 1). Errors: config, naming the key.
[[nodiscard]] double below_one(const Options& options, std::string_view key, double fallback);

/// Errors: usage, unless gradient and all `num_slots` slots are as long as the weights.
void check_update(std::span<const float> weights, std::span<const float> gradient,
                  std::span<const std::span<float>> slots, std::size_t num_slots);

}  // namespace lockstep
