// Sums of squares: right, in a pinned order, and the same wherever the array lies.
#include "core/sums.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "core/random.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::vector<float> sample(std::size_t size) {
  std::vector<float> values(size);
  fill_normal({3, RandomPurpose::bench, 0, 0, 0}, 1.0F, values);
  return values;
}

TEST(SumSquares, IsTheSumInLongDouble) {
  for (const std::size_t size : {0U, 1U, 7U, 8U, 9U, 19U, 2048U, 10000U}) {
    const std::vector<float> values = sample(size);
    long double exact = 0;
    for (const float value : values) exact += static_cast<long double>(value) * value;
    // Squares of floats are exact in double; n additions of positive numbers lose n/8 roundings of 1.1e-16 at most.
    EXPECT_NEAR(sum_squares(values), static_cast<double>(exact), 1e-12 * static_cast<double>(exact)) << size;
  }
}

TEST(SumSquares, HasTheSameBitsWhereverTheArrayLies) {
  const std::vector<float> values = sample(1003);
  const double expected = sum_squares(values);
  std::vector<float> moved(values.size() + 20);
  for (std::size_t offset = 0; offset < 20; ++offset) {
    std::ranges::copy(values, moved.begin() + static_cast<std::ptrdiff_t>(offset));
    EXPECT_EQ(sum_squares(std::span<const float>(moved).subspan(offset, values.size())), expected) << offset;
  }
}

// 19 elements: two rounds of eight lanes and a rest of three. The large square is 2^54, where doubles are 4 apart:
// 1 is lost, 2 is a tie that goes to the even 2^54, and 3 counts as 4. So the order of adding shows.
TEST(SumSquares, AddsEightLanesAndThenPairs) {
  std::vector<float> values(19, 0.0F);
  values[0] = 0x1p27F;  // lane 0: 2^54
  values[8] = 1;        //   lost
  values[16] = 1;       //   lost, of the rest
  values[1] = 1;        // lane 1: 1 + 1; 2^54 + 2 is 2^54
  values[9] = 1;
  values[18] = 1;  // lane 2: 1, of the rest
  values[3] = 1;   // lane 3: 1 + 1; with lane 2 it is 3, and 2^54 + 3 is 2^54 + 4
  values[11] = 1;
  values[4] = 1;  // lanes 4 to 6: 1 each; 2^54 + 4 + 3 is 2^54 + 8
  values[5] = 1;
  values[14] = 1;
  EXPECT_EQ(sum_squares(values), 0x1p54 + 8);
  double in_order = 0;
  for (const float value : values) in_order += double{value} * value;
  EXPECT_EQ(in_order, 0x1p54);  // adding one by one gives another sum
}

TEST(SumSquares, OfAPairRoundsEachElementToFloatFirst) {
  const std::vector<float> left = sample(1003);
  const std::vector<float> right = {left.rbegin(), left.rend()};
  std::vector<float> whole(left.size());
  add(left, right, whole);
  EXPECT_EQ(sum_squares(PairSum(left, right)), sum_squares(whole));
}

TEST(PairSum, OfOneArrayIsThatArrayToTheBit) {
  const std::vector<float> values = {0.0F, -0.0F, 1.5F, -std::numeric_limits<float>::infinity(),
                                     std::numeric_limits<float>::denorm_min()};
  const PairSum alone = std::span<const float>(values);
  ASSERT_EQ(alone.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(alone[i]), std::bit_cast<std::uint32_t>(values[i])) << i;
  }
}

TEST(PairSum, RefusesArraysThatDoNotFit) {
  const std::vector<float> values(PairSum::kMostAlone + 1);
  const std::span<const float> all = values;
  EXPECT_THROW((void)PairSum(all), Error);
  EXPECT_THROW((void)PairSum(all, all.first(3)), Error);
}

TEST(Sum, AddsEightLanesAndThenPairs) {
  for (const std::size_t size : {0U, 1U, 7U, 8U, 9U, 1000U}) {
    const std::vector<float> values = sample(size);
    long double exact = 0;
    for (const float value : values) exact += value;
    EXPECT_NEAR(sum(values), static_cast<double>(exact), 1e-12) << size;
  }
  std::vector<float> values(17, 0.0F);
  values[0] = 0x1p53F;
  values[8] = 1;   // lane 0: lost
  values[16] = 1;  //   lost
  values[1] = 1;   // lane 1: 2 with the next
  values[9] = 1;
  EXPECT_EQ(sum(values), 0x1p53 + 2);
}

TEST(Largest, IsTheLargestOfAnyLength) {
  EXPECT_EQ(largest({}), -std::numeric_limits<float>::infinity());
  for (std::size_t size = 1; size < 40; ++size) {
    std::vector<float> values = sample(size);
    EXPECT_EQ(largest(values), *std::max_element(values.begin(), values.end())) << size;
    values[size / 2] = std::numeric_limits<float>::quiet_NaN();
    if (size > 1) values[0] = 9;
    EXPECT_EQ(largest(values), size > 1 ? 9 : -std::numeric_limits<float>::infinity()) << size;
  }
}

TEST(SumRows, AddsColumnsInTheOrderOfTheRows) {
  for (const std::size_t columns : {1U, 10U, 63U, 64U, 65U, 200U}) {
    const std::vector<float> rows = sample(7 * columns);
    std::vector<float> sums(columns, 5.0F);
    sum_rows(rows, sums);
    for (std::size_t c = 0; c < columns; ++c) {
      float expected = 0;
      for (std::size_t r = 0; r < 7; ++r) expected += rows[r * columns + c];
      ASSERT_EQ(sums[c], expected) << columns << " columns, column " << c;
    }
  }
}

TEST(SumRows, OfNoRowsAreZeros) {
  std::vector<float> sums(100, 5.0F);
  sum_rows({}, sums);
  EXPECT_EQ(sums, std::vector<float>(100, 0.0F));
}

TEST(AddTo, AddsElementwise) {
  std::vector<float> sum = {1, 2, 3};
  add_to(sum, std::vector<float>{0.5F, -2, 4});
  EXPECT_EQ(sum, (std::vector<float>{1.5F, 0, 7}));
}

TEST(AllFinite, FindsOneBadNumberAnywhere) {
  for (const std::size_t size : {1U, 7U, 64U, 77U, 2048U}) {
    std::vector<float> values(size, std::numeric_limits<float>::max());
    values[size / 2] = -0.0F;
    EXPECT_TRUE(all_finite(values));
    for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN()}) {
      for (const std::size_t at : {std::size_t{0}, size / 3, size - 1}) {
        const float good = std::exchange(values[at], bad);
        EXPECT_FALSE(all_finite(values)) << bad << " at " << at << " of " << size;
        values[at] = good;
      }
    }
  }
  EXPECT_TRUE(all_finite({}));
}

TEST(AddToFinite, AddsAndTellsOfAnOverflow) {
  for (const std::size_t size : {1U, 63U, 64U, 200U}) {
    std::vector<float> sum(size, 1.5F);
    std::vector<float> part(size, 0.25F);
    EXPECT_TRUE(add_to_finite(sum, part));
    EXPECT_EQ(sum, std::vector<float>(size, 1.75F));
    sum.back() = part.back() = 3e38F;  // each is finite, their sum is not
    EXPECT_FALSE(add_to_finite(sum, part));
  }
}

}  // namespace
}  // namespace lockstep
