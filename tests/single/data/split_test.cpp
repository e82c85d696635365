// Rows held out for validation: how many, which, and that they are the same on every machine.
#include "data/split.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "data/time_windows.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

TEST(SplitRows, HoldsOutTheFloorOfTheShare) {
  const auto held_out = [](double share, std::size_t rows) { return split_rows(share, 1, rows).validation.size(); };
  EXPECT_EQ(held_out(0.1, 1438), 143U);
  EXPECT_EQ(held_out(0.1, 19), 1U);
  EXPECT_EQ(held_out(0.29, 100), 29U);  // though 0.29 * 100 is 28.999999999999996 in double
  EXPECT_EQ(held_out(0.999, 1000), 999U);
}

TEST(SplitRows, EveryRowIsInOnePartInAscendingOrder) {
  const Split split = split_rows(0.3, 7, 101);
  EXPECT_EQ(split.validation.size(), 30U);
  EXPECT_TRUE(std::ranges::is_sorted(split.train));
  EXPECT_TRUE(std::ranges::is_sorted(split.validation));
  std::vector<std::uint32_t> all(split.train);
  all.insert(all.end(), split.validation.begin(), split.validation.end());
  std::ranges::sort(all);
  ASSERT_EQ(all.size(), 101U);
  for (std::size_t row = 0; row < all.size(); ++row) EXPECT_EQ(all[row], row);
}

TEST(SplitRows, IsAFunctionOfSeedAndRows) {
  EXPECT_EQ(split_rows(0.2, 7, 20).validation, split_rows(0.2, 7, 20).validation);
  EXPECT_NE(split_rows(0.2, 7, 20).validation, split_rows(0.2, 8, 20).validation);
  // For good: a checkpoint does not keep the rows.
  EXPECT_EQ(split_rows(0.2, 1, 20).validation, (std::vector<std::uint32_t>{3, 6, 10, 11}));
}

TEST(SplitRows, OfNothingIsEmpty) {
  const Split split = split_rows(0, 1, 100);
  EXPECT_TRUE(split.train.empty());
  EXPECT_TRUE(split.validation.empty());
}

TEST(SplitRows, RefusesWhatLeavesAPartWithoutRows) {
  expect_error(ErrorKind::config, {"data.validation: 0.01 of 50 training samples leaves none to validate with"},
               [] { (void)split_rows(0.01, 1, 50); });
  expect_error(ErrorKind::config, {"data.validation", "from 0 to below 1, found 1.0"},
               [] { (void)split_rows(1, 1, 50); });
  const TimeWindows windows({.rows = 5}, std::vector<Range>{{0, 20}, {20, 50}}, true, "x");
  for (const double share : {1.0, 1.5, 40.0, -0.25, std::numeric_limits<double>::quiet_NaN()}) {
    expect_error(ErrorKind::config, {"data.validation: expected a share from 0 to below 1"},
                 [&] { (void)windows.split(share); });
  }
  expect_error(ErrorKind::config, {"none to train on"}, [] { (void)split_rows(0.99999999999999989, 1, 50); });
}

}  // namespace
}  // namespace lockstep
