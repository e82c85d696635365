// Philox4x32-10 from Random123; the counter names what a number is for.
#include "core/random.hpp"

#include <Random123/philox.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "core/convert.hpp"

namespace lockstep {
namespace {

using Philox = r123::Philox4x32;
__extension__ using Wide = unsigned __int128;

// Counter words: block | purpose and index | sample | step; key: the seed. No two streams share a counter.
Philox::ctr_type counter(const RandomKey& key, std::uint32_t block) {
  const std::uint32_t stream = (static_cast<std::uint32_t>(key.purpose) << 24U) | (key.index & 0xFFFFFFU);
  return {{block, stream, key.sample, key.step}};
}

Philox::key_type philox_key(std::uint64_t seed) {
  return {{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)}};
}

// Uniform in (0, 1], so that its logarithm is finite.
double positive_unit(std::uint32_t word) {
  return (static_cast<double>(word) + 1.0) * 0x1p-32;
}

}  // namespace

std::array<std::uint32_t, 4> random_words(const RandomKey& key, std::uint32_t block) {
  const auto words = Philox{}(counter(key, block), philox_key(key.seed));
  return {words[0], words[1], words[2], words[3]};
}

void random_fill(const RandomKey& key, std::span<std::uint32_t> out) {
  for (std::size_t i = 0; i < out.size(); i += 4) {
    const auto words = random_words(key, static_cast<std::uint32_t>(i / 4));
    for (std::size_t j = 0; j < 4 && i + j < out.size(); ++j) out[i + j] = words[j];
  }
}

void fill_uniform(const RandomKey& key, float low, float high, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); i += 4) {
    const auto words = random_words(key, narrow<std::uint32_t>(i / 4, "random numbers of one stream"));
    for (std::size_t j = 0; j < 4 && i + j < out.size(); ++j) out[i + j] = low + (high - low) * unit_float(words[j]);
  }
}

void fill_normal(const RandomKey& key, float deviation, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); i += 4) {
    const auto words = random_words(key, narrow<std::uint32_t>(i / 4, "random numbers of one stream"));
    for (std::size_t j = 0; j < 4 && i + j < out.size(); ++j) {
      const double radius = std::sqrt(-2.0 * std::log(positive_unit(words[j & 2U])));
      const double angle = 2.0 * std::numbers::pi * positive_unit(words[(j & 2U) + 1]);
      out[i + j] = deviation * static_cast<float>(radius * ((j & 1U) == 0 ? std::cos(angle) : std::sin(angle)));
    }
  }
}

void fill_permutation(const RandomKey& key, std::span<std::uint32_t> indices) {
  if (indices.empty()) return;
  (void)narrow<std::uint32_t>(indices.size() - 1, "a permutation");
  std::iota(indices.begin(), indices.end(), 0U);
  for (std::size_t i = indices.size() - 1; i > 0; --i) {
    // 64 bits times (i+1), high half: uniform on 0..i up to a bias of 2^-32.
    const auto words = random_words(key, static_cast<std::uint32_t>(i));
    const std::uint64_t draw = (std::uint64_t{words[1]} << 32U) | words[0];
    const auto pick = static_cast<std::size_t>((static_cast<Wide>(draw) * (i + 1)) >> 64U);
    std::swap(indices[i], indices[pick]);
  }
}

}  // namespace lockstep
