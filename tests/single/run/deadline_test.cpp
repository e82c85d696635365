// When a run with an end stops: early enough for a step, the scores and a save, and not before.
#include "run/deadline.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "support/expect_error.hpp"

namespace lockstep {
namespace {

using Clock = Deadline::Clock;

class DeadlineTest : public testing::Test {
 protected:
  void SetUp() override { forget(); }
  void TearDown() override { forget(); }

  static void forget() {
    unsetenv("SLURM_JOB_END_TIME");
    unsetenv("LOCKSTEP_JOB_END_TIME");
  }
};

TEST_F(DeadlineTest, CountsFromTheStart) {
  const Deadline deadline("10m", Clock::now() - std::chrono::minutes(4));
  EXPECT_NEAR(deadline.seconds_left().value(), 360, 2);
  EXPECT_EQ(deadline.source(), "train.time_limit");
}

TEST_F(DeadlineTest, NoneAndAutoWithoutSlurmHaveNoEnd) {
  for (const char* limit : {"none", "auto"}) {
    const Deadline deadline(limit, Clock::now());
    EXPECT_FALSE(deadline.seconds_left().has_value());
    EXPECT_FALSE(deadline.is_near(1e9, true));
  }
}

TEST_F(DeadlineTest, AutoTakesTheEndThatSlurmGives) {
  setenv("SLURM_JOB_END_TIME", std::to_string(std::time(nullptr) + 500).c_str(), 1);
  const Deadline deadline("auto", Clock::now() - std::chrono::hours(5));
  EXPECT_NEAR(deadline.seconds_left().value(), 500, 2);
  EXPECT_EQ(deadline.source(), "Slurm");
  EXPECT_FALSE(Deadline("none", Clock::now()).seconds_left().has_value());
  setenv("SLURM_JOB_END_TIME", "soon", 1);
  EXPECT_FALSE(Deadline("auto", Clock::now()).seconds_left().has_value());
}

TEST_F(DeadlineTest, AutoTakesTheEndThatALaunchScriptGives) {
  setenv("SLURM_JOB_END_TIME", std::to_string(std::time(nullptr) + 500).c_str(), 1);
  setenv("LOCKSTEP_JOB_END_TIME", std::to_string(std::time(nullptr) + 300).c_str(), 1);
  const Deadline deadline("auto", Clock::now());
  EXPECT_NEAR(deadline.seconds_left().value(), 300, 2);
  EXPECT_EQ(deadline.source(), "the batch system");
}

TEST_F(DeadlineTest, IsNearWhenWhatMustStillBeDoneTakesTheTimeLeft) {
  Deadline deadline("100s", Clock::now());
  EXPECT_FALSE(deadline.is_near(0, false));
  EXPECT_FALSE(deadline.is_near(45, true));
  EXPECT_TRUE(deadline.is_near(50, false));  // a save counts twice
  deadline.saw_step(20);
  deadline.saw_step(2);
  EXPECT_FALSE(deadline.is_near(30, false));
  EXPECT_TRUE(deadline.is_near(35, false));
  deadline.saw_scoring(20);
  EXPECT_FALSE(deadline.is_near(30, false));
  EXPECT_TRUE(deadline.is_near(30, true));
  EXPECT_TRUE(Deadline("1m", Clock::now() - std::chrono::minutes(2)).is_near(0, false));
}

TEST_F(DeadlineTest, RefusesWhatIsNoTime) {
  expect_error(ErrorKind::config, {"train.time_limit", "1h55m", "\"soon\""}, [] { Deadline("soon", Clock::now()); });
}

}  // namespace
}  // namespace lockstep
