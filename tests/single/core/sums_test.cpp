// Sums of squares: right, in a pinned order, and the same wherever the array lies.
#include "core/sums.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/random.hpp"

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

TEST(AddTo, AddsElementwise) {
  std::vector<float> sum = {1, 2, 3};
  add_to(sum, std::vector<float>{0.5F, -2, 4});
  EXPECT_EQ(sum, (std::vector<float>{1.5F, 0, 7}));
}

}  // namespace
}  // namespace lockstep
