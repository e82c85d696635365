// Sums over float arrays in double, with an order that does not depend on the CPU or the SIMD width.
#pragma once

#include <cstddef>
#include <span>

namespace lockstep {

/// Sum of squares: eight interleaved partial sums, added pairwise at the end.
[[nodiscard]] double sum_squares(std::span<const float> values);

/// sum[i] += part[i].
void add_to(std::span<float> sum, std::span<const float> part);

}  // namespace lockstep
