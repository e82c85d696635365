// Sums over float arrays in double, with an order that does not depend on the CPU or the SIMD width.
#pragma once

#include <cstddef>
#include <span>

namespace lockstep {

/// Sum of squares: eight interleaved partial sums, added pairwise at the end.
[[nodiscard]] double sum_squares(std::span<const float> values);

/// sum[i] += part[i].
void add_to(std::span<float> sum, std::span<const float> part);

/// sum[i] = left[i] + right[i]; `sum` may be either of them.
void add(std::span<const float> left, std::span<const float> right, std::span<float> sum);

}  // namespace lockstep
