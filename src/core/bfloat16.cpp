#include "core/bfloat16.hpp"

#include <bit>
#include <cstddef>

#include "core/vector_clones.hpp"

namespace lockstep {

// Half of the last bit that stays is added, less one where that bit is even. A NaN might overflow to zero: it gets the
// bit that makes it quiet instead.
LOCKSTEP_VECTOR_CLONES void to_bfloat16(std::span<const float> values, std::span<std::uint16_t> rounded) {
  const float* const from = values.data();
  std::uint16_t* const to = rounded.data();
#pragma GCC ivdep
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(from[i]);
    const std::uint32_t up = bits + 0x7FFFU + ((bits >> 16U) & 1U);
    const std::uint32_t word = (bits & 0x7FFFFFFFU) > 0x7F800000U ? bits | 0x400000U : up;
    to[i] = static_cast<std::uint16_t>(word >> 16U);
  }
}

LOCKSTEP_VECTOR_CLONES void from_bfloat16(std::span<const std::uint16_t> rounded, std::span<float> values) {
  const std::uint16_t* const from = rounded.data();
  float* const to = values.data();
#pragma GCC ivdep
  for (std::size_t i = 0; i < rounded.size(); ++i) to[i] = std::bit_cast<float>(std::uint32_t{from[i]} << 16U);
}

}  // namespace lockstep
