// What a rank did when: cut without gaps, and bounded.
#include "comm/timeline.hpp"

#include <gtest/gtest.h>

#include "comm/clocks.hpp"
#include "comm/pulse.hpp"

namespace lockstep {
namespace {

std::int64_t now_ = 0;  // [ns]
std::int64_t test_clock() noexcept {
  return now_;
}

class TimelineTest : public testing::Test {
 protected:
  TimelineTest() { now_ = 0; }
  void enter(Timeline& timeline, std::int64_t at, Phase phase, std::uint64_t step, std::uint32_t shard = kNoShard) {
    now_ = at;
    timeline.enter(phase, step, shard);
  }
  void wait(Timeline& timeline, std::int64_t at, bool waits) {
    now_ = at;
    timeline.wait(waits);
  }
  // Begin, end and phase; a wait in brackets.
  static std::string text(const Timeline& timeline) {
    std::string all;
    for (const Timeline::Event& event : timeline.events()) {
      const std::string one = std::to_string(event.begin) + "-" + std::to_string(event.end) + " " +
                              std::to_string(static_cast<int>(event.phase));
      all += event.waits ? "[" + one + "] " : one + " ";
    }
    return all;
  }
};

TEST_F(TimelineTest, AWaitInterruptsItsPhase) {
  Timeline timeline(100, test_clock);
  enter(timeline, 10'000, Phase::forward, 1, 3);
  wait(timeline, 20'000, true);
  wait(timeline, 21'000, true);  // one within the other
  wait(timeline, 50'000, false);
  wait(timeline, 51'000, false);
  enter(timeline, 60'000, Phase::backward, 1, 3);
  now_ = 70'000;
  timeline.finish();
  EXPECT_EQ(text(timeline), "0-10000 0 10000-20000 3 [20000-50000 3] 50000-60000 3 60000-70000 4 ");
  EXPECT_EQ(timeline.events()[2].shard, 3U);
}

TEST_F(TimelineTest, AWaitOfLessThanAMicrosecondIsWork) {
  Timeline timeline(100, test_clock);
  enter(timeline, 10'000, Phase::forward, 1);
  wait(timeline, 20'000, true);
  wait(timeline, 20'999, false);
  enter(timeline, 30'000, Phase::backward, 1);
  EXPECT_EQ(text(timeline), "0-10000 0 10000-30000 3 ");
}

TEST_F(TimelineTest, APhaseThatBeginsWhileItWaitsEndsTheWait) {
  Timeline timeline(100, test_clock);
  wait(timeline, 5'000, true);
  enter(timeline, 9'000, Phase::forward, 1);
  wait(timeline, 9'500, false);  // it has ended
  enter(timeline, 10'000, Phase::backward, 1);
  EXPECT_EQ(text(timeline), "0-5000 0 [5000-9000 0] 9000-10000 3 ");
}

TEST_F(TimelineTest, WhenTheRoomIsUsedUpGroupsOfStepsAreLeftOutOverTheWholeRun) {
  Timeline timeline(100, test_clock);
  const std::size_t room = timeline.events().capacity();
  std::int64_t at = 0;
  for (std::uint64_t step = 1; step <= 1000; ++step) {
    enter(timeline, at += 1000, Phase::forward, step);
    if (step % 200 == 0) enter(timeline, at += 1000, Phase::scoring, step);
  }
  timeline.finish();
  EXPECT_EQ(timeline.events().capacity(), room);
  EXPECT_FALSE(timeline.full());
  EXPECT_GT(timeline.stride(), 8U);
  std::size_t scorings = 0;
  std::uint64_t last = 0;
  for (const Timeline::Event& event : timeline.events()) {
    scorings += event.phase == Phase::scoring ? 1 : 0;
    if (event.phase == Phase::forward) {
      EXPECT_EQ((event.step - 1) / Timeline::kGroup % timeline.stride(), 0U);
      EXPECT_TRUE(event.step == last + 1 || (event.step - 1) % Timeline::kGroup == 0) << event.step;  // whole groups
      last = event.step;
    }
  }
  EXPECT_EQ(scorings, 4U);  // those that have ended
  EXPECT_GT(last, 500U);
}

TEST_F(TimelineTest, WhatMustStayEndsWithTheRoom) {
  Timeline timeline(20, test_clock);
  for (std::int64_t i = 1; i <= 100; ++i) enter(timeline, i * 1000, Phase::scoring, 1);
  EXPECT_EQ(timeline.events().size(), timeline.events().capacity());
  EXPECT_TRUE(timeline.full());
}

TEST_F(TimelineTest, ListensToThePulse) {
  Timeline timeline(20, test_clock);
  Pulse pulse{};
  pulse.enter(Phase::reading);  // unheard
  pulse.timeline = &timeline;
  pulse.step.store(7);
  now_ = 1000;
  pulse.enter(Phase::gathering, 2);
  {
    now_ = 3000;
    const During saving(pulse, Phase::saving);
    now_ = 4000;
    const Waiting waiting(pulse);
    now_ = 9000;
  }
  now_ = 10'000;
  pulse.enter(Phase::forward);
  EXPECT_EQ(text(timeline), "0-1000 0 1000-3000 2 3000-4000 10 [4000-9000 10] 9000-10000 2 ");
  EXPECT_EQ(timeline.events()[1].step, 7U);
  EXPECT_EQ(timeline.events()[1].shard, 2U);
}

TEST(Clocks, ADifferenceThatGrowsIsTakenAwayEvenly) {
  const ClockReading first{1000, 500};
  const ClockReading last{3000, 510};
  EXPECT_EQ(on_root_clock(1000, first, last), 500);
  EXPECT_EQ(on_root_clock(2000, first, last), 1495);
  EXPECT_EQ(on_root_clock(3000, first, last), 2490);
  EXPECT_EQ(on_root_clock(2000, first, first), 1500);
}

}  // namespace
}  // namespace lockstep
