#include "core/bfloat16.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace lockstep {
namespace {

std::uint16_t rounded(float value) {
  std::uint16_t bits = 0;
  to_bfloat16({&value, 1}, {&bits, 1});
  return bits;
}

float widened(std::uint16_t bits) {
  float value = 0;
  from_bfloat16({&bits, 1}, {&value, 1});
  return value;
}

TEST(Bfloat16, RoundsToTheNearestTiesToEven) {
  EXPECT_EQ(rounded(1.0F), 0x3F80);
  EXPECT_EQ(rounded(std::bit_cast<float>(0x3F808000U)), 0x3F80);  // half way, below is even
  EXPECT_EQ(rounded(std::bit_cast<float>(0x3F818000U)), 0x3F82);  // half way, above is even
  EXPECT_EQ(rounded(std::bit_cast<float>(0x3F808001U)), 0x3F81);
  EXPECT_EQ(rounded(std::bit_cast<float>(0x3F807FFFU)), 0x3F80);
  EXPECT_EQ(rounded(-0.0F), 0x8000);
  EXPECT_EQ(rounded(std::numeric_limits<float>::denorm_min()), 0);
}

TEST(Bfloat16, KeepsWhatIsNotFinite) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(widened(rounded(infinity)), infinity);
  EXPECT_EQ(widened(rounded(-infinity)), -infinity);
  EXPECT_EQ(widened(rounded(std::numeric_limits<float>::max())), infinity);  // nearer than the largest below
  EXPECT_TRUE(std::isnan(widened(rounded(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_TRUE(std::isnan(widened(rounded(std::bit_cast<float>(0x7F800001U)))));  // its upper half alone is infinity
  EXPECT_TRUE(std::isnan(widened(rounded(std::bit_cast<float>(0xFFFFFFFFU)))));
}

// Every number of 16 bits goes there and back, in arrays of any length.
TEST(Bfloat16, IsExactOnItsOwnNumbers) {
  std::vector<std::uint16_t> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  for (const std::size_t size : {std::size_t{1}, std::size_t{37}, all.size()}) {
    std::vector<float> values(size);
    std::vector<std::uint16_t> back(size);
    from_bfloat16(std::span(all).first(size), values);
    to_bfloat16(values, back);
    for (std::size_t i = 0; i < size; ++i) {
      ASSERT_EQ(back[i], std::isnan(values[i]) ? all[i] | 0x40U : all[i]);
    }
  }
}

}  // namespace
}  // namespace lockstep
