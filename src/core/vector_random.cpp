// Philox4x32-10 (Salmon et al., SC'11) with one block in each 64-bit lane; compiled once a SIMD target, as vector_math.
//
// Of a lane only the low 32 bits count: products take no others, and what XOR leaves above them is ignored.
#include "core/vector_random.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/vector_random.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
// clang-format off
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace lockstep::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR
std::size_t fill_whole_vectors(const RandomKey& /*key*/, std::uint32_t /*first_block*/,
                               std::span<std::uint32_t> /*out*/) {
  return 0;  // all is left to random_words
}
#else
// Fills as many words as whole vectors of blocks give; returns how many.
std::size_t fill_whole_vectors(const RandomKey& key, std::uint32_t first_block, std::span<std::uint32_t> out) {
  const hn::ScalableTag<std::uint64_t> d;
  const hn::Repartition<std::uint32_t, decltype(d)> d32;
  const auto multiply = [&](auto a, auto b) { return hn::MulEven(hn::BitCast(d32, a), hn::BitCast(d32, b)); };
  const auto factor0 = hn::Set(d, std::uint64_t{0xD2511F53U});
  const auto factor1 = hn::Set(d, std::uint64_t{0xCD9E8D57U});
  const std::size_t blocks = hn::Lanes(d);
  HWY_ALIGN std::array<std::uint64_t, 2 * hn::MaxLanes(d)> lanes;

  std::size_t done = 0;
  for (; done + 4 * blocks <= out.size(); done += 4 * blocks) {
    // The counter of random.cpp: block | purpose and index | sample | step.
    auto c0 = hn::Iota(d, std::uint64_t{first_block} + done / 4);
    auto c1 = hn::Set(d, (std::uint64_t{static_cast<std::uint32_t>(key.purpose)} << 24U) | (key.index & 0xFFFFFFU));
    auto c2 = hn::Set(d, std::uint64_t{key.sample});
    auto c3 = hn::Set(d, std::uint64_t{key.step});
    auto k0 = static_cast<std::uint32_t>(key.seed);
    auto k1 = static_cast<std::uint32_t>(key.seed >> 32U);
    for (int round = 0; round < 10; ++round) {
      const auto product0 = multiply(c0, factor0);
      const auto product1 = multiply(c2, factor1);
      c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product1), c1), hn::Set(d, std::uint64_t{k0}));
      c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product0), c3), hn::Set(d, std::uint64_t{k1}));
      c1 = product1;
      c3 = product0;
      k0 += 0x9E3779B9U;
      k1 += 0xBB67AE85U;
    }
    const auto low = hn::Set(d, std::uint64_t{0xFFFFFFFFU});
    static_assert(std::endian::native == std::endian::little, "a lane holds two words, the first one low");
    const auto words01 = hn::Or(hn::And(c0, low), hn::ShiftLeft<32>(c1));
    const auto words23 = hn::Or(hn::And(c2, low), hn::ShiftLeft<32>(c3));
    hn::StoreInterleaved2(words01, words23, d, lanes.data());
    std::memcpy(out.data() + done, lanes.data(), 4 * blocks * sizeof(std::uint32_t));
  }
  return done;
}
#endif

}  // namespace lockstep::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep {
namespace {

HWY_EXPORT(fill_whole_vectors);

}  // namespace

void vector_random_words(const RandomKey& key, std::uint32_t first_block, std::span<std::uint32_t> out) {
  for (std::size_t i = HWY_DYNAMIC_DISPATCH(fill_whole_vectors)(key, first_block, out); i < out.size(); i += 4) {
    const auto words = random_words(key, first_block + static_cast<std::uint32_t>(i / 4));
    for (std::size_t j = 0; j < 4 && i + j < out.size(); ++j) out[i + j] = words[j];
  }
}

}  // namespace lockstep
#endif  // HWY_ONCE
