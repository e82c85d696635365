// Fewer points of a long curve, and the same picture.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace lockstep {

/// At most `most` (4 or more) indices into `values`, ascending: all of them where they are few enough. Otherwise first,
/// last, and of each of equal stretches between them the smallest and the largest value. A NaN is taken only where a
/// stretch has nothing else.
[[nodiscard]] std::vector<std::size_t> thin(std::span<const double> values, std::size_t most);

}  // namespace lockstep
