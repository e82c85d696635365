#include "journal/stragglers.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lockstep {
namespace {

// Four steps on a rank that computes `samples` in forward and backward of so many seconds.
RankTimes rank_of(double samples, double forward, double backward) {
  return {.steps = 4, .samples = samples, .seconds = {.forward = forward, .backward = backward}};
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

// Lines that come of rows of `seconds` of steps, in which `slow` names the host that is behind.
struct Told {
  SlowHosts watch;
  std::uint64_t step = 0;
  std::vector<std::string> lines = {};

  void row(double seconds, const std::string& slow) {
    std::vector<RankTimes> ranks;
    for (const char* host : {"a", "b", "c"}) {
      const double busy = host == slow ? seconds : seconds / 2;
      ranks.push_back({.steps = 1, .samples = 10, .seconds = {.forward = busy, .wait = seconds - busy}});
    }
    const std::string line = watch.add(++step, ranks, std::vector<std::string>{"a", "b", "c"});
    if (!line.empty()) lines.push_back(line);
  }
};

TEST(SlowHosts, ARunOfASecondHasNoWarnings) {
  Told told{};
  for (int i = 0; i < 100; ++i) told.row(0.01, i % 2 == 0 ? "a" : "b");
  EXPECT_TRUE(told.lines.empty()) << told.lines.front();
}

TEST(SlowHosts, OneSlowStepIsNoSlowHost) {
  Told told{};
  for (int i = 0; i < 60; ++i) told.row(i == 20 ? 5 : 0.5, i == 20 ? "b" : "");
  EXPECT_TRUE(told.lines.empty()) << told.lines.front();
}

TEST(SlowHosts, AHostThatStaysBehindIsToldOnceWithItsSteps) {
  Told told{};
  for (int i = 0; i < 12; ++i) told.row(0.5, "");
  for (int i = 0; i < 1000; ++i) told.row(0.5, "c");
  ASSERT_EQ(told.lines.size(), 1U);
  EXPECT_NE(told.lines[0].find("host c is 100 % behind"), std::string::npos) << told.lines[0];
  EXPECT_NE(told.lines[0].find("(steps 13 to 24)"), std::string::npos) << told.lines[0];
}

TEST(SlowHosts, HostsInTurnGiveALineAMinuteAtMost) {
  Told told{};
  for (int i = 0; i < 600; ++i) told.row(0.5, i / 15 % 2 == 0 ? "a" : "b");  // 300 s
  EXPECT_GE(told.lines.size(), 3U);
  EXPECT_LE(told.lines.size(), 5U);
}

}  // namespace
}  // namespace lockstep
