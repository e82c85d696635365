// Counter-based random numbers: each number is a pure function of what it is for.
//
// No state, no order, no rank: number `block` of stream (purpose, index) for `sample` at `step` is the Philox4x32-10
// (Salmon et al., SC'11) of those integers under the run's seed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lockstep {

/// What a number is for; keeps streams apart.
enum class RandomPurpose : std::uint32_t {
  initialize = 1,
  dropout = 2,
  order = 3,
  bench = 4,
  validation = 5,
  deal = 6,
  blocks = 7,
  window = 8,
  check = 9,
  importance = 10
};

/// Names a stream of random numbers.
struct RandomKey {
  std::uint64_t seed = 0;
  RandomPurpose purpose = RandomPurpose::initialize;
  std::uint32_t index = 0;   ///< layer or parameter, below 2^24
  std::uint32_t step = 0;    ///< step or epoch
  std::uint32_t sample = 0;  ///< global sample index
};

/// Four random words: number `block` of the stream.
[[nodiscard]] std::array<std::uint32_t, 4> random_words(const RandomKey& key, std::uint32_t block);

/// Fills `out` with words: out[i] is word i%4 of block i/4.
void random_fill(const RandomKey& key, std::span<std::uint32_t> out);

/// A float in [0, 1) with 24 bits.
[[nodiscard]] constexpr float unit_float(std::uint32_t word) noexcept {
  return static_cast<float>(word >> 8U) * 0x1p-24F;
}

/// Fills `out` with floats uniform in [low, high).
void fill_uniform(const RandomKey& key, float low, float high, std::span<float> out);

/// Fills `out` with normally distributed floats (Box and Muller, 1958) of mean 0.
void fill_normal(const RandomKey& key, float deviation, std::span<float> out);

/// A permutation of 0..n-1 (Fisher and Yates, drawn from `key`'s stream).
/// Errors: usage (indices.size() exceeds 2^32).
void fill_permutation(const RandomKey& key, std::span<std::uint32_t> indices);

}  // namespace lockstep
