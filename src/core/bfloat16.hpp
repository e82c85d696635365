// bfloat16: the upper half of a float. The same range, 8 bits of precision.
#pragma once

#include <cstdint>
#include <span>

namespace lockstep {

/// Rounds to the nearest, ties to even; NaN stays NaN. Shapes: values, rounded [n].
void to_bfloat16(std::span<const float> values, std::span<std::uint16_t> rounded);

/// Exact. Shapes: rounded, values [n].
void from_bfloat16(std::span<const std::uint16_t> rounded, std::span<float> values);

}  // namespace lockstep
