#include "train/stragglers.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lockstep {
namespace {

// Four steps on a rank that computes `samples` in forward and backward of so many seconds.
RankTimes rank_of(double samples, double forward, double backward) {
  return {4, samples, {0, 0, forward, backward, 0, 0, 0}};
}

TEST(Stragglers, SpreadIsOverTheRanksAndAStep) {
  const std::vector<RankTimes> ranks{rank_of(10, 4, 8), rank_of(10, 8, 8), rank_of(10, 40, 8)};
  const std::vector<std::string> hosts{"a", "a", "a"};
  const TimesRow row = spread_of(12, ranks, hosts);
  EXPECT_EQ(row.step, 12U);
  EXPECT_EQ(row.steps, 4U);
  EXPECT_EQ(row.phases[2].min, 1);
  EXPECT_EQ(row.phases[2].median, 2);
  EXPECT_EQ(row.phases[2].max, 10);
  EXPECT_EQ(row.phases[3].max, 2);
  EXPECT_EQ(row.phases[6].max, 0);
  EXPECT_EQ(row.slowest_host, "");  // there is but one
}

TEST(Stragglers, NamesAHostThatIsAFifthBehindTheMedian) {
  const std::vector<std::string> hosts{"a", "b", "c"};
  const auto slowest = [&](double c) {
    return spread_of(4, std::vector<RankTimes>{rank_of(10, 4, 6), rank_of(10, 5, 5), rank_of(10, 0, c)}, hosts);
  };
  EXPECT_EQ(slowest(11.9).slowest_host, "");
  EXPECT_EQ(slowest(12.1).slowest_host, "c");
  EXPECT_NEAR(slowest(15).behind, 0.5, 1e-12);
  EXPECT_EQ(slowest(8).slowest_host, "");
  const std::string text = slow_host_text(slowest(15));
  EXPECT_NE(text.find("host c is 50 % behind"), std::string::npos) << text;
  EXPECT_NE(text.find("steps 1 to 4"), std::string::npos) << text;
}

TEST(Stragglers, OfTwoHostsTheSlowerOneIsNamed) {
  const std::vector<RankTimes> ranks{rank_of(10, 0, 15), rank_of(10, 0, 10)};
  EXPECT_EQ(spread_of(4, ranks, std::vector<std::string>{"a", "b"}).slowest_host, "a");
}

TEST(Stragglers, AHostWithMoreSamplesIsNotSlow) {
  const std::vector<RankTimes> ranks{rank_of(10, 0, 10), rank_of(20, 0, 20), rank_of(0, 0, 1)};
  EXPECT_EQ(spread_of(4, ranks, std::vector<std::string>{"a", "b", "c"}).slowest_host, "");
}

}  // namespace
}  // namespace lockstep
