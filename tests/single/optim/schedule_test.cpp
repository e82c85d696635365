// Schedules at the points where their values are known by hand.
#include "optim/schedule.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "optim/plateau.hpp"

namespace lockstep {
namespace {

constexpr double kRelative = 1e-12;  // a few double operations on values near 1

std::unique_ptr<Schedule> make(const std::string& type, const Options& options, double lr = 0.1,
                               std::uint64_t total_steps = 100) {
  return make_schedule({type, options}, lr, total_steps);
}

TEST(Schedule, ConstantStaysAtOne) {
  const auto schedule = make("constant", {});
  EXPECT_EQ(schedule->factor(0), 1.0);
  EXPECT_EQ(schedule->factor(1'000'000), 1.0);
  EXPECT_FALSE(schedule->spans_run());
}

TEST(Schedule, StepDecaysAtEachMultipleOfItsSize) {
  const auto schedule = make("step", {{"step_size", 10}, {"gamma", 0.5}});
  EXPECT_EQ(schedule->factor(9), 1.0);
  EXPECT_EQ(schedule->factor(10), 0.5);
  EXPECT_EQ(schedule->factor(29), 0.25);
  EXPECT_FALSE(schedule->spans_run());
  EXPECT_NEAR(make("step", {{"step_size", 1}})->factor(2), 0.01, kRelative);
}

TEST(Schedule, LinearGoesFromAThirdToOneAndHolds) {
  const auto schedule = make("linear", {{"total_iters", 4}});
  EXPECT_NEAR(schedule->factor(0), 1.0 / 3, kRelative);
  EXPECT_NEAR(schedule->factor(2), 2.0 / 3, kRelative);
  EXPECT_NEAR(schedule->factor(4), 1.0, kRelative);
  EXPECT_NEAR(schedule->factor(400), 1.0, kRelative);
}

TEST(Schedule, PolynomialEndsAtZeroAndHolds) {
  const auto schedule = make("polynomial", {{"total_iters", 10}, {"power", 2.0}});
  EXPECT_EQ(schedule->factor(0), 1.0);
  EXPECT_NEAR(schedule->factor(5), 0.25, kRelative);
  EXPECT_EQ(schedule->factor(10), 0.0);
  EXPECT_EQ(schedule->factor(11), 0.0);
}

TEST(Schedule, CosineEndsAtEtaMinAndHolds) {
  const auto schedule = make("cosine", {{"T_max", 20}, {"eta_min", 0.02}}, 0.1);
  EXPECT_NEAR(schedule->factor(0), 1.0, kRelative);
  EXPECT_NEAR(schedule->factor(10), 0.6, kRelative);
  EXPECT_NEAR(schedule->factor(20), 0.2, kRelative);
  EXPECT_NEAR(schedule->factor(35), 0.2, kRelative);
}

TEST(Schedule, WarmsUpBeforeItsShape) {
  const auto schedule = make("polynomial", {{"warmup_steps", 4}, {"total_iters", 2}});
  EXPECT_EQ(schedule->factor(0), 0.25);
  EXPECT_EQ(schedule->factor(3), 1.0);
  EXPECT_EQ(schedule->factor(4), 1.0);
  EXPECT_EQ(schedule->factor(5), 0.5);
  EXPECT_EQ(schedule->factor(6), 0.0);
}

TEST(Schedule, WithoutALengthSpansTheRestOfTheRun) {
  for (const std::string type : {"linear", "polynomial", "cosine"}) {
    SCOPED_TRACE(type);
    const auto schedule = make(type, {{"warmup_steps", 10}}, 0.1, 50);
    const auto same = make(type, {{"warmup_steps", 10}, {type == "cosine" ? "T_max" : "total_iters", 40}}, 0.1, 1);
    EXPECT_TRUE(schedule->spans_run());
    EXPECT_FALSE(same->spans_run());
    for (std::uint64_t step = 0; step < 60; ++step) EXPECT_EQ(schedule->factor(step), same->factor(step));
  }
}

TEST(Schedule, TakesAWarmupAsLongAsTheRun) {
  const auto schedule = make("cosine", {{"warmup_steps", 50}}, 0.1, 10);
  EXPECT_EQ(schedule->factor(9), 0.2);
  EXPECT_EQ(schedule->factor(49), 1.0);
  EXPECT_EQ(schedule->factor(50), 1.0);
}

TEST(Schedule, TakesALearningRateOfZero) {
  EXPECT_EQ(make("cosine", {}, 0.0)->factor(0), 1.0);
}

TEST(Schedule, RefusesBadOptionsNamingThem) {
  struct Case {
    std::string type;
    Options options;
    std::string named;
  };
  const std::vector<Case> cases = {
      {"step", {}, "step_size"},
      {"step", {{"step_size", 0}}, "step_size"},
      {"step", {{"step_size", 1}, {"gamma", -1.0}}, "gamma"},
      {"linear", {{"total_iters", 0}}, "total_iters"},
      {"linear", {{"start_factor", 1.5}}, "start_factor"},
      {"linear", {{"end_factor", -0.5}}, "end_factor"},
      {"polynomial", {{"power", -1.0}}, "power"},
      {"cosine", {{"T_max", 0}}, "T_max"},
      {"cosine", {{"eta_min", 0.2}}, "eta_min"},
      {"constant", {{"warmup_steps", -1}}, "warmup_steps"},
      {"linear", {{"T_max", 5}}, "total_iters"},
      {"constnt", {}, "constant"},
  };
  for (const auto& wrong : cases) {
    SCOPED_TRACE(wrong.type + " " + wrong.named);
    try {
      (void)make(wrong.type, wrong.options);
      ADD_FAILURE() << "no error was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      EXPECT_NE(std::string(error.what()).find(wrong.named), std::string::npos) << error.what();
    }
  }
}

// Positive scores are tested against PyTorch's numbers, tests/golden. Of negative ones it takes what is a little worse.
TEST(Plateau, NegativeScoresHaveToBeBetterByAShareOfTheirSize) {
  const Component schedule{"plateau", {{"patience", 0}, {"threshold", 0.1}, {"factor", 0.5}}};
  const auto rate_after = [&](bool larger_is_better, const std::vector<double>& scores) {
    Plateau plateau(schedule, 1, larger_is_better);
    for (const double score : scores) plateau.add(larger_is_better ? -score : score);
    return plateau.lr();
  };
  for (const double sign : {1.0, -1.0}) {  // of the best score, -1 and 1: the border lies 0.1 beyond it
    for (const bool larger : {false, true}) {
      EXPECT_EQ(rate_after(larger, {sign}), 1);
      EXPECT_EQ(rate_after(larger, {sign, sign - 0.11}), 1);
      EXPECT_EQ(rate_after(larger, {sign, sign - 0.09}), 0.5);
      EXPECT_EQ(rate_after(larger, {sign, sign}), 0.5);
      EXPECT_EQ(rate_after(larger, {sign, sign + 0.05}), 0.5);
    }
  }
}

TEST(Schedule, EveryTypeListsItsKeysWhenOneIsUnknown) {
  for (const auto name : schedule_names()) {
    SCOPED_TRACE(name);
    try {
      (void)make(std::string(name), {{"step_size", 1}, {"T_0", 3}});
      ADD_FAILURE() << "no error was thrown";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("warmup_steps"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace lockstep
