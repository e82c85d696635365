// Early stopping and the learning rate at plateaus, from the rows of a history alone.
#include "run/steering.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "support/expect_error.hpp"

namespace lockstep {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

RunConfig run_with(std::optional<EarlyStop> early_stop) {
  RunConfig run;
  run.data.test = {"test.h5"};
  run.train.epochs = 100;
  run.train.early_stop = std::move(early_stop);
  run.optimizer.lr = 0.1;
  return run;
}

History history_of(const char* column, const std::vector<double>& values) {
  History history{{"epoch", column}, {}};
  for (std::size_t i = 0; i < values.size(); ++i) {
    history.rows.push_back(static_cast<double>(i + 1));
    history.rows.push_back(values[i]);
  }
  return history;
}

// The epoch after which it stops; 0: never.
std::size_t stops_after(const EarlyStop& early_stop, const std::vector<double>& losses, const char* column) {
  Steering steering(run_with(early_stop), *make_loss({"mse"}), 1);
  for (std::size_t n = 1; n <= losses.size(); ++n) {
    steering.follow(history_of(column, {losses.begin(), losses.begin() + static_cast<std::ptrdiff_t>(n)}));
    if (steering.stops()) return n;
  }
  return 0;
}

TEST(Steering, StopsBehindPatienceEpochsWithoutAnImprovement) {
  const auto of_loss = [](const EarlyStop& stop, const std::vector<double>& v) {
    return stops_after(stop, v, "test_loss");
  };
  EXPECT_EQ(of_loss({.patience = 2}, {3, 2, 2, 2, 1}), 4U);  // ties are no improvement
  EXPECT_EQ(of_loss({.patience = 2}, {3, 2, 2.5, 1, 1.5, 0.5}), 0U);
  EXPECT_EQ(of_loss({.patience = 1}, {3, 4}), 2U);
  EXPECT_EQ(of_loss({.patience = 2, .min_delta = 0.5}, {3, 2.75, 2.5, 2}), 3U);  // 0.5 is not more than 0.5
  EXPECT_EQ(of_loss({.patience = 2}, {kNan, kNan, kNan, 1}), 0U);  // a score that is missing is no reason to stop
  EXPECT_EQ(of_loss({.patience = 2}, {3, kNan, 4, kNan, 2, 2, kNan, 2}), 8U);
  EXPECT_EQ(stops_after({.monitor = "test.r2", .patience = 2}, {0.1, 0.2, 0.1, 0.2}, "test_r2"), 4U);
  EXPECT_EQ(stops_after({.monitor = "test.r2", .patience = 2}, {0.3, 0.2, 0.1}, "test_r2"), 3U);
}

TEST(Steering, ALongerHistoryAtOnceIsTheSameAsRowByRow) {
  RunConfig run = run_with(EarlyStop{.patience = 3});
  run.optimizer.schedule = {"plateau", {{"patience", 1}, {"factor", 0.5}}};
  const std::vector<double> losses = {5, 4, 4, 4, 3, 3, 3, 3};
  Steering slowly(run, *make_loss({"mse"}), 1);
  for (std::size_t n = 1; n <= losses.size(); ++n) {
    const std::vector<double> so_far(losses.begin(), losses.begin() + static_cast<std::ptrdiff_t>(n));
    slowly.follow(history_of("test_loss", so_far));
    slowly.follow(history_of("test_loss", so_far));  // seen already
    Steering at_once(run, *make_loss({"mse"}), 1);
    at_once.follow(history_of("test_loss", so_far));
    EXPECT_EQ(at_once.base_lr(), slowly.base_lr()) << n;
    EXPECT_EQ(at_once.stops(), slowly.stops()) << n;
  }
  EXPECT_EQ(slowly.base_lr(), 0.025);
  EXPECT_TRUE(slowly.stops());
  EXPECT_EQ(slowly.why_it_stops(), "test.loss has not improved for 3 epochs");
}

TEST(Steering, ItsMonitorsAreNamedOnceWithTheirKeys) {
  RunConfig run = run_with(EarlyStop{.monitor = "test.r2"});
  run.optimizer.schedule = {"plateau", {{"monitor", "test.loss"}}};
  std::string text;
  for (const Monitor& monitor : Steering(run, *make_loss({"mse"}), 1).monitors()) {
    text += monitor.key() + ": " + monitor.name() + "; ";
  }
  EXPECT_EQ(text, "train.early_stop.monitor: test.r2; optimizer.schedule.monitor: test.loss; ");
}

TEST(Steering, IsFinishedByEpochsOrBehindAnEpochByEarlyStopping) {
  Steering steering(run_with(EarlyStop{.patience = 1}), *make_loss({"mse"}), 1);
  EXPECT_FALSE(steering.finished({0, 99, 0}));
  EXPECT_TRUE(steering.finished({0, 100, 0}));
  steering.follow(history_of("test_loss", {1, 1}));
  EXPECT_TRUE(steering.finished({20, 2, 0}));
  EXPECT_FALSE(steering.finished({25, 2, 32}));  // within an epoch, whose scores are to come
  EXPECT_FALSE(Steering(run_with({}), *make_loss({"mse"}), 1).finished({20, 2, 0}));
}

TEST(Steering, TheBestIsByTheScoreThatEarlyStoppingWatches) {
  RunConfig run = run_with(EarlyStop{.monitor = "test.mae"});
  EXPECT_EQ(Steering(run, *make_loss({"mse"}), 1).best().name(), "test.mae");
  run.checkpoint.monitor = "test.loss";
  expect_error(ErrorKind::config, {"train.early_stop: restore_best", "test.loss", "test.mae", "restore_best = false"},
               [&] { (void)Steering(run, *make_loss({"mse"}), 1); });
  run.train.early_stop->restore_best = false;
  EXPECT_EQ(Steering(run, *make_loss({"mse"}), 1).best().name(), "test.loss");
  run.train.early_stop->monitor = "auto";  // the best checkpoint's
  run.train.early_stop->restore_best = true;
  EXPECT_NO_THROW((void)Steering(run, *make_loss({"mse"}), 1));
}

TEST(Steering, ErrorsNameTheKey) {
  RunConfig run = run_with(EarlyStop{.monitor = "test.top1"});
  expect_error(ErrorKind::config, {"train.early_stop.monitor: expected auto", "found \"test.top1\""},
               [&] { (void)Steering(run, *make_loss({"mse"}), 1); });
  run = run_with({});
  run.optimizer.schedule = {"plateau", {{"monitor", "validation.loss"}}};
  expect_error(ErrorKind::config, {"optimizer.schedule.monitor", "found \"validation.loss\""},
               [&] { (void)Steering(run, *make_loss({"mse"}), 1); });
  run.data.validation = 0.1;
  EXPECT_NO_THROW((void)Steering(run, *make_loss({"mse"}), 1));
}

}  // namespace
}  // namespace lockstep
