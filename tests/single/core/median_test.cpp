#include "core/median.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(Median, IsTheMiddleOrTheMeanOfTheMiddleTwo) {
  EXPECT_EQ(median(std::vector<double>{5, 1, 3}), 3);
  EXPECT_EQ(median(std::vector<double>{4, 1, 2, 100}), 3);
  EXPECT_EQ(median(std::vector<double>{7}), 7);
  EXPECT_EQ(median(std::vector<double>{}), 0);
}

TEST(FarBelowMedian, NamesThoseBehindByMoreThanTheShare) {
  EXPECT_EQ(far_below_median(std::vector<double>{100, 79, 101, 81, 102}, 0.2), (std::vector<std::size_t>{1}));
  EXPECT_EQ(far_below_median(std::vector<double>{60, 100}, 0.2), (std::vector<std::size_t>{0}));
  EXPECT_TRUE(far_below_median(std::vector<double>{100, 130, 90, 100}, 0.2).empty());
}

TEST(FarBelowMedian, FindsNobodyWhereNobodyIsFast) {
  EXPECT_TRUE(far_below_median(std::vector<double>{0, 0, 0}, 0.2).empty());
  EXPECT_TRUE(far_below_median(std::vector<double>{3}, 0.2).empty());
}

}  // namespace
}  // namespace lockstep
