// Medians, and who lies far from them.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace lockstep {

/// The middle value, of an even number of them the mean of the middle two; 0 of none.
[[nodiscard]] double median(std::span<const double> values);

/// The indices of the values more than `share` below the median of all: 0.2 for 20 %.
[[nodiscard]] std::vector<std::size_t> far_below_median(std::span<const double> values, double share);

}  // namespace lockstep
