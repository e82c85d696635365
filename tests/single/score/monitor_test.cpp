// The monitored score: its names by task, its direction, and what counts as better.
#include "score/monitor.hpp"

#include <cmath>
#include <limits>

#include "model/detail_metrics.hpp"
#include "model/metrics.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

const Loss& loss_of(Task task) {
  static const auto regression = make_loss({"mse"});
  static const auto binary = make_loss({"binary_cross_entropy"});
  static const auto classification = make_loss({"softmax_cross_entropy"});
  return task == Task::regression ? *regression : task == Task::binary ? *binary : *classification;
}

Monitor of(const std::string& name, Task task, bool has_test = true, std::size_t outputs = 10,
           bool has_validation = false) {
  return {name, loss_of(task), outputs, {has_validation, has_test}};
}

TEST(Monitor, AutoIsAccuracyOrLossOfTheTestDataOrTrainLoss) {
  EXPECT_EQ(of("auto", Task::classification).name(), "test.accuracy");
  EXPECT_EQ(of("auto", Task::binary).name(), "test.accuracy");
  EXPECT_EQ(of("auto", Task::regression).name(), "test.loss");
  for (const Task task : {Task::classification, Task::binary, Task::regression}) {
    EXPECT_EQ(of("auto", task, false).name(), "train.loss");
  }
  for (const bool has_test : {true, false}) {  // validation data go before
    EXPECT_EQ(of("auto", Task::regression, has_test, 1, true).name(), "validation.loss");
    EXPECT_EQ(of("auto", Task::classification, has_test, 10, true).name(), "validation.accuracy");
  }
}

TEST(Monitor, TakesEveryScoreOfItsTask) {
  for (const Task task : {Task::classification, Task::binary, Task::regression}) {
    EXPECT_NO_THROW((void)of("train.loss", task));
    for (const std::string& score : score_names(loss_of(task), 10))
      EXPECT_EQ(of("test." + score, task).name(), "test." + score);
  }
}

TEST(Monitor, RefusesOtherNamesAndListsTheKnownOnes) {
  expect_error(
      ErrorKind::config,
      {"checkpoint.monitor", "auto",
       "train.loss, test.loss, test.r2, test.explained_variance, test.rmse, test.mae, test.mape", "\"test.accuracy\""},
      [] { (void)of("test.accuracy", Task::regression); });
  expect_error(ErrorKind::config, {"\"accuracy\""}, [] { (void)of("accuracy", Task::classification); });
  expect_error(ErrorKind::config, {"\"\""}, [] { (void)of("", Task::classification); });
  expect_error(ErrorKind::config, {"\"test.top5\""}, [] { (void)of("test.top5", Task::classification, true, 5); });
  expect_error(ErrorKind::config, {"one of train.loss, found \"test.loss\""},
               [] { (void)of("test.loss", Task::classification, false); });
  expect_error(ErrorKind::config, {"one of train.loss, validation.loss, validation.r2", "found \"test.loss\""},
               [] { (void)of("test.loss", Task::regression, false, 1, true); });
  expect_error(ErrorKind::config, {"a.key: expected auto"},
               [] { (void)Monitor("x", loss_of(Task::binary), 1, {}, "a.key"); });
}

TEST(Monitor, KnowsWhichDirectionIsBetter) {
  for (const char* name :
       {"train.loss", "test.loss", "test.rmse", "test.mae", "test.mape", "test.error_median", "test.error_max"}) {
    const Monitor monitor = of(name, Task::regression);
    EXPECT_TRUE(monitor.better(1, 2)) << name;
    EXPECT_FALSE(monitor.better(2, 1)) << name;
  }
  EXPECT_TRUE(of("test.r2", Task::regression).better(2, 1));
  EXPECT_FALSE(of("test.r2", Task::regression).better(1, 2));
  for (const char* name : {"test.accuracy", "test.top5", "test.macro_recall"}) {
    EXPECT_TRUE(of(name, Task::classification).better(2, 1)) << name;
    EXPECT_FALSE(of(name, Task::classification).better(1, 2)) << name;
  }
}

TEST(Monitor, KnowsTheDirectionOfScoresOfOneLossWithASplitAndWithout) {
  const auto quantile = make_loss({"quantile", {{"quantiles", std::vector<double>{0.1, 0.5}}}});
  for (const char* split : {"", "train.", "validation.", "test."}) {
    const auto of = [&](const char* score) { return smaller_is_better(std::string(split) + score, *quantile); };
    for (const char* score : {"pinball_q0.1", "pinball_q0.5", "loss", "rmse", "error_p90"}) EXPECT_EQ(of(score), true);
    EXPECT_EQ(of("r2"), false);
    EXPECT_EQ(of("coverage_q0.1"), std::nullopt);
  }
  EXPECT_EQ(smaller_is_better("nll", *make_loss({"gaussian_nll"})), true);
  EXPECT_EQ(smaller_is_better("coverage95", *make_loss({"gaussian_nll"})), std::nullopt);
  EXPECT_EQ(smaller_is_better("deviance", *make_loss({"poisson_nll"})), true);
  EXPECT_FALSE(Monitor("test.pinball_q0.1", *quantile, 2, {.test = true}).larger_is_better());
  expect_error(ErrorKind::config, {"test.pinball_q0.1, test.pinball_q0.5, found \"test.coverage_q0.1\""},
               [&] { (void)Monitor("test.coverage_q0.1", *quantile, 2, {.test = true}); });
}

TEST(Monitor, TheFirstValueIsBestTiesAndNansAreNot) {
  for (const char* name : {"test.loss", "test.accuracy"}) {
    const Monitor monitor = of(name, Task::classification);
    EXPECT_TRUE(monitor.better(-5, {}));
    EXPECT_FALSE(monitor.better(1, 1));
    EXPECT_FALSE(monitor.better(kNan, {}));
    EXPECT_FALSE(monitor.better(kNan, 1));
  }
}

TEST(Monitor, ImprovesByMoreThanTheLeastDifference) {
  EXPECT_FALSE(of("test.loss", Task::regression).better(1.5, 2, 0.5));
  EXPECT_TRUE(of("test.loss", Task::regression).better(1.25, 2, 0.5));
  EXPECT_FALSE(of("test.r2", Task::regression).better(2.5, 2, 0.5));
  EXPECT_TRUE(of("test.r2", Task::regression).better(2.75, 2, 0.5));
  EXPECT_TRUE(of("test.r2", Task::regression).better(-9, {}, 0.5));
}

TEST(Monitor, TakesItsValueFromTheHistory) {
  const History history{{"epoch", "train_loss", "validation_loss", "test_loss", "test_r2"},
                        {1, 3, 2, 0.5, 0.25, 2, 4, 5, 6, kNan}};
  EXPECT_EQ(of("train.loss", Task::regression).value(history, 0), 3);
  EXPECT_EQ(of("test.loss", Task::regression).value(history, 0), 0.5);
  EXPECT_EQ(of("test.r2", Task::regression).value(history, 0), 0.25);
  EXPECT_EQ(of("validation.loss", Task::regression, true, 1, true).value(history, 1), 5);
  EXPECT_TRUE(std::isnan(of("test.r2", Task::regression).value(history, 1)));
  EXPECT_TRUE(std::isnan(of("test.rmse", Task::regression).value(history, 0)));  // no such column
  EXPECT_TRUE(std::isnan(of("test.loss", Task::regression).value(history, 2)));  // no such row
}

// An evaluation of one block, so that the names are those that an evaluation really gives; but for those by the order
// of all samples, which come behind.
std::vector<std::string> names_given(const Loss& loss, std::size_t width) {
  const std::vector<float> outputs(2 * width, 0.25F);
  std::vector<float> values(2 * width, loss.task() == Task::binary ? 0.0F : 2.0F);
  for (std::size_t i = 0; i < width; ++i) values[i] = 1;
  const std::vector<std::int32_t> labels = {0, 1};
  Targets targets;
  if (loss.task() == Task::classification) {
    targets.labels = labels;
  } else {
    targets.values = values;
  }
  const Metrics metrics(loss.task(), width);
  std::vector<double> sums(metrics.num_sums());
  std::vector<std::int64_t> counts(metrics.num_counts());
  metrics.add_block(1.0, outputs, targets, sums, counts);
  Scores scores = metrics.finish(2, sums, counts);
  const DetailMetrics details(loss.task(), width, {}, {}, !loss.is_log_loss());
  sums.resize(details.num_sums());
  counts.assign(details.num_counts(), 0);
  details.add_block(outputs, outputs, targets, sums, counts);
  details.finish(sums, counts, scores);
  std::vector<std::string> names;
  for (const auto& [name, value] : scores.named()) names.push_back(name);
  return names;
}

TEST(ScoreNames, AreThoseThatAnEvaluationGives) {
  for (const auto& [loss, outputs] : {std::pair{Component{"softmax_cross_entropy"}, std::size_t{5}},
                                      {Component{"softmax_cross_entropy", {{"label_smoothing", 0.1}}}, std::size_t{6}},
                                      {Component{"binary_cross_entropy"}, std::size_t{1}},
                                      {Component{"binary_cross_entropy", {{"pos_weight", 2.0}}}, std::size_t{3}},
                                      {Component{"mse"}, std::size_t{3}}}) {
    const auto made = make_loss(loss);
    std::vector<std::string> expected = names_given(*made, outputs);
    for (const std::string& name : order_scores(made->task())) expected.push_back(name);
    EXPECT_EQ(score_names(*made, outputs), expected) << loss.type;
  }
}

TEST(ScoreNames, ThoseThatGoByOrderAreKnown) {
  EXPECT_TRUE(goes_by_order("auc"));
  EXPECT_TRUE(goes_by_order("validation.average_precision"));
  EXPECT_TRUE(goes_by_order("test.error_p95"));
  EXPECT_FALSE(goes_by_order("test.f1"));
  EXPECT_FALSE(goes_by_order("loss"));
}

}  // namespace
}  // namespace lockstep
