// Scores against numbers worked out by hand.
#include "model/metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// The scores of blocks of rows; sums of the blocks are simply added.
class Scoring {
 public:
  Scoring(Task task, std::size_t outputs, TargetUnits units = {})
      : metrics_(task, outputs, std::move(units)), sums_(metrics_.num_sums()), counts_(metrics_.num_counts()) {}

  Scoring& block(double loss_sum, const std::vector<float>& outputs, const Targets& targets) {
    std::vector<double> sums(sums_.size(), 1e9);  // add_block must set them
    metrics_.add_block(loss_sum, outputs, targets, sums, counts_);
    for (std::size_t i = 0; i < sums.size(); ++i) sums_[i] += sums[i];
    return *this;
  }

  [[nodiscard]] Scores finish(std::size_t samples) const { return metrics_.finish(samples, sums_, counts_); }

 private:
  Metrics metrics_;
  std::vector<double> sums_;
  std::vector<std::int64_t> counts_;
};

Scores regression(std::size_t width, const std::vector<float>& outputs, const std::vector<float>& values,
                  TargetUnits units = {}) {
  return Scoring(Task::regression, width, std::move(units))
      .block(0, outputs, {{}, values})
      .finish(values.size() / width);
}

Scores classification(std::size_t classes, const std::vector<float>& outputs, const std::vector<std::int32_t>& labels) {
  return Scoring(Task::classification, classes).block(0, outputs, {labels, {}}).finish(labels.size());
}

TEST(Metrics, LossIsTheMeanOverTheSamplesOfAllBlocks) {
  const std::vector<float> two{1, 2};
  const std::vector<float> one{3};
  const auto scores = Scoring(Task::regression, 1).block(5, two, {{}, two}).block(1.5, one, {{}, one}).finish(3);
  EXPECT_EQ(scores.samples, 3U);
  EXPECT_DOUBLE_EQ(scores.loss, 6.5 / 3);
}

TEST(Metrics, RegressionScoresAreThoseOfTheDefinitions) {
  // Targets 1 2 3 6 (mean 3, SST 14), errors 1 0 -1 2 (SSE 6).
  const auto scores = regression(1, {2, 2, 2, 8}, {1, 2, 3, 6});
  EXPECT_DOUBLE_EQ(*scores.r2, 1 - 6.0 / 14);
  EXPECT_DOUBLE_EQ(*scores.rmse, std::sqrt(6.0 / 4));
  EXPECT_DOUBLE_EQ(*scores.mae, 1.0);
  EXPECT_FALSE(scores.accuracy || scores.top5 || scores.macro_recall);
}

TEST(Metrics, R2IsTheMeanOverTheOutputs) {
  // Output 0 is exact (R2 1); output 1: targets 0 2, SST 2, errors 1 1, R2 0.
  const auto scores = regression(2, {5, 1, 9, 3}, {5, 0, 9, 2});
  EXPECT_DOUBLE_EQ(*scores.r2, 0.5);
  EXPECT_DOUBLE_EQ(*scores.rmse, std::sqrt(2.0 / 4));
  EXPECT_DOUBLE_EQ(*scores.mae, 0.5);
}

TEST(Metrics, R2IsUnsetForConstantTargets) {
  EXPECT_FALSE(regression(1, {1, 2, 3}, {0.1F, 0.1F, 0.1F}).r2);
  EXPECT_FALSE(regression(1, {1, 2, 3}, {0, 0, 0}).r2);
  EXPECT_FALSE(regression(1, {1}, {4}).r2);
  EXPECT_FALSE(regression(2, {1, 2, 3, 4}, {1, 7, 2, 7}).r2);
  // A small spread on a large mean is not constant.
  EXPECT_TRUE(regression(1, {1, 2, 3}, {100000.0F, 100000.5F, 100001.0F}).r2);
}

TEST(Metrics, ErrorsAreInTheTargetsOwnUnits) {
  // Output 0 in units of 10, output 1 in units of 0.5; errors 1 and 2 of the net's units.
  const TargetUnits units{{100, -3}, {10, 0.5}};
  const auto scores = regression(2, {1, 2, 0, 0}, {0, 0, 0, 1}, units);
  EXPECT_DOUBLE_EQ(*scores.mae, (10 + 1 + 0 + 0.5) / 4);
  EXPECT_DOUBLE_EQ(*scores.rmse, std::sqrt((100 + 1 + 0 + 0.25) / 4));
}

TEST(Metrics, BinaryAccuracyIsOverAllOutputs) {
  const std::vector<float> values{1, 0, 1, 0, 0.75F, 1};
  // right, right, wrong (0 is not above 0), wrong, right, wrong (NaN)
  const auto scores = Scoring(Task::binary, 3).block(0, {2, -1, 0, 1, 0.5F, kNan}, {{}, values}).finish(2);
  EXPECT_DOUBLE_EQ(*scores.accuracy, 0.5);
  EXPECT_FALSE(scores.r2 || scores.rmse || scores.mae || scores.top5 || scores.macro_recall);
}

TEST(Metrics, BinaryWithOneOutputCountsTwoClasses) {
  // Labels 1 0 1 0 0 1, answers 1 0 0 1 0 and none.
  const std::vector<float> values{1, 0, 0.75F, 0, 0.5F, 1};
  const auto scores = Scoring(Task::binary, 1).block(0, {2, -1, 0, 1, -3, kNan}, {{}, values}).finish(6);
  EXPECT_EQ(scores.class_samples, (std::vector<std::int64_t>{3, 3}));
  EXPECT_EQ(scores.class_right, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(scores.confusion, (std::vector<std::int64_t>{2, 1, 1, 1}));
  EXPECT_FALSE(scores.macro_recall);
}

TEST(Metrics, ClassificationScoresAreThoseOfTheDefinitions) {
  // Labels 0 0 0 2, answers 0 0 1 2; class 1 does not occur.
  const auto scores = classification(3, {3, 1, 2, 9, 8, 7, 0, 1, 0, 0, 1, 2}, {0, 0, 0, 2});
  EXPECT_DOUBLE_EQ(*scores.accuracy, 0.75);
  EXPECT_DOUBLE_EQ(*scores.macro_recall, (2.0 / 3 + 1.0) / 2);
  EXPECT_EQ(scores.confusion, (std::vector<std::int64_t>{2, 1, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(scores.class_samples, (std::vector<std::int64_t>{3, 0, 1}));
  EXPECT_EQ(scores.class_right, (std::vector<std::int64_t>{2, 0, 1}));
  EXPECT_FALSE(scores.top5 || scores.r2 || scores.rmse || scores.mae);
}

TEST(Metrics, OfEqualOutputsTheFirstIsTheAnswer) {
  const auto scores = classification(3, {1, 1, 1, 0, 2, 2}, {0, 2});
  EXPECT_DOUBLE_EQ(*scores.accuracy, 0.5);
  EXPECT_EQ(scores.confusion, (std::vector<std::int64_t>{1, 0, 0, 0, 0, 0, 0, 1, 0}));
}

TEST(Metrics, Top5CountsLabelsAmongTheFiveLargest) {
  const std::vector<float> rows{6, 5, 4, 3, 2, 1,   // label 4 is fifth: in
                                6, 5, 4, 3, 2, 1,   // label 5 is sixth: out
                                1, 1, 1, 1, 1, 1};  // equal ones: the lower index comes first, 5 is out
  const auto scores = classification(6, rows, {4, 5, 5});
  ASSERT_TRUE(scores.top5);
  EXPECT_DOUBLE_EQ(*scores.top5, 1.0 / 3);
  EXPECT_FALSE(classification(5, {6, 5, 4, 3, 2}, {4}).top5);
}

TEST(Metrics, ARowWithNanHasNoAnswer) {
  const auto scores = classification(6, {9, kNan, 0, 0, 0, 0, kNan, kNan, kNan, kNan, kNan, kNan}, {0, 0});
  EXPECT_EQ(*scores.accuracy, 0.0);
  EXPECT_EQ(*scores.top5, 0.0);
  EXPECT_EQ(*scores.macro_recall, 0.0);
  EXPECT_EQ(scores.confusion, std::vector<std::int64_t>(36, 0));
}

TEST(Metrics, KeepsNoConfusionOfTooManyClasses) {
  constexpr std::size_t classes = Metrics::kMaxConfusion + 1;
  std::vector<float> outputs(classes);
  outputs[classes - 1] = 1;
  const auto scores = classification(classes, outputs, {static_cast<std::int32_t>(classes - 1)});
  EXPECT_EQ(*scores.accuracy, 1.0);
  EXPECT_EQ(*scores.macro_recall, 1.0);
  EXPECT_TRUE(scores.confusion.empty());
}

TEST(Metrics, RefusesNoSamplesAndWrongSizes) {
  EXPECT_THROW((void)Scoring(Task::binary, 1).finish(0), Error);
  const std::vector<float> three(3);
  EXPECT_THROW(Scoring(Task::regression, 1).block(0, {1, 2}, {{}, three}), Error);
  const std::vector<std::int32_t> labels{1};
  EXPECT_THROW(Scoring(Task::classification, 2).block(0, {1, 2, 3, 4}, {labels, {}}), Error);
}

TEST(Scores, AreNamedInAFixedOrder) {
  using Named = std::vector<std::pair<std::string, double>>;
  Scores scores;
  scores.loss = 0.5;
  EXPECT_EQ(scores.named(), (Named{{"loss", 0.5}}));
  scores.accuracy = 1;
  scores.top5 = 2;
  scores.macro_recall = 3;
  scores.r2 = 4;
  scores.rmse = 5;
  scores.mae = 6;
  EXPECT_EQ(
      scores.named(),
      (Named{{"loss", 0.5}, {"accuracy", 1}, {"top5", 2}, {"macro_recall", 3}, {"r2", 4}, {"rmse", 5}, {"mae", 6}}));
}

}  // namespace
}  // namespace lockstep
