// Scores against the numbers that scikit-learn and numpy gave; make_scores.py wrote them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "model/detail_metrics.hpp"
#include "model/ranking.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::json;

constexpr double kNear = 1e-9;

const Json& golden() {
  static const Json all = [] {
    const auto path = std::filesystem::path(LOCKSTEP_SOURCE_DIR) / "tests" / "golden" / "scores.json";
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot open " + path.string());
    return Json::parse(file);
  }();
  return all;
}

double weight_of(const Json& golden, std::size_t sample) {
  return golden["weights"].is_null() ? 1.0 : golden["weights"][sample].get<double>();
}

std::vector<RankedSample> ranked(const Json& golden) {
  std::vector<RankedSample> samples;
  for (std::size_t i = 0; i < golden["scores"].size(); ++i) {
    samples.push_back({.score = golden["scores"][i].get<float>(),
                       .weight = static_cast<float>(weight_of(golden, i)),
                       .positive = golden["positive"][i] == 1});
  }
  return samples;
}

TEST(GoldenScores, AucAndAveragePrecisionAreScikitLearns) {
  for (const Json& golden : golden()["ranking"]) {
    auto samples = ranked(golden);
    const RankScores found = rank_scores(samples);
    EXPECT_NEAR(found.auc.value(), golden["auc"], kNear);
    EXPECT_NEAR(found.average_precision.value(), golden["average_precision"], kNear);
  }
}

TEST(GoldenScores, AucIsByPairsWhereWeightsAreNegative) {
  for (const Json& golden : golden()["negative_weights"]) {
    auto samples = ranked(golden);
    const RankScores found = rank_scores(samples);
    EXPECT_NEAR(found.auc.value(), golden["auc"], kNear);
    EXPECT_FALSE(found.average_precision.has_value());
  }
}

TEST(GoldenScores, TheSameBitsInAnyOrder) {
  for (const Json& golden : golden()["ranking"]) {
    auto samples = ranked(golden);
    auto reversed = samples;
    std::ranges::reverse(reversed);
    const RankScores one = rank_scores(samples);
    const RankScores other = rank_scores(reversed);
    EXPECT_EQ(one.auc, other.auc);
    EXPECT_EQ(one.average_precision, other.average_precision);
  }
}

TEST(GoldenScores, NoThresholdIsBetterThanTheBestOfAll) {
  for (const Json& golden : golden()["ranking"]) {
    for (const auto& [name, rule] : {std::pair{"f1", ThresholdRule::f1}, {"youden", ThresholdRule::youden}}) {
      auto samples = ranked(golden);
      const Threshold found = best_threshold(rule, samples).value();
      EXPECT_NEAR(found.score, golden[name]["score"], kNear);
      for (std::size_t i = 0; i < golden["scores"].size(); ++i) {
        EXPECT_EQ(golden["scores"][i].get<float>() > found.value, golden[name]["answers"][i] == 1) << name << ", " << i;
      }
    }
  }
}

TEST(GoldenScores, PrecisionRecallAndF1AreScikitLearns) {
  for (const Json& golden : golden()["classes"]) {
    const auto classes = golden["classes"].get<std::size_t>();
    const auto logits = golden["logits"].get<std::vector<float>>();
    std::vector<ClassSums> sums(classes);
    double log_loss = 0;
    double all = 0;
    for (std::size_t i = 0; i < golden["labels"].size(); ++i) {
      const auto row = std::span(logits).subspan(i * classes, classes);
      const auto label = golden["labels"][i].get<std::size_t>();
      const auto answer = static_cast<std::size_t>(std::ranges::max_element(row) - row.begin());
      const double weight = weight_of(golden, i);
      sums[label].labelled += weight;
      sums[answer].answered += weight;
      if (label == answer) sums[label].right += weight;
      log_loss += weight * log_loss_of_label(row, label);
      all += weight;
    }
    for (std::size_t c = 0; c < classes; ++c) {
      EXPECT_NEAR(class_scores(sums[c]).precision, golden["precision"][c], kNear);
      EXPECT_NEAR(class_scores(sums[c]).recall, golden["recall"][c], kNear);
      EXPECT_NEAR(class_scores(sums[c]).f1, golden["f1"][c], kNear);
    }
    EXPECT_NEAR(macro_scores(sums).precision, golden["macro"][0], kNear);
    EXPECT_NEAR(macro_scores(sums).recall, golden["macro"][1], kNear);
    EXPECT_NEAR(macro_scores(sums).f1, golden["macro"][2], kNear);
    EXPECT_NEAR(log_loss / all, golden["log_loss"], kNear);
  }
}

TEST(GoldenScores, LogLossOfBinaryIsScikitLearns) {
  for (const Json& golden : golden()["binary"]) {
    double sum = 0;
    double all = 0;
    for (std::size_t i = 0; i < golden["logits"].size(); ++i) {
      const double weight = weight_of(golden, i);
      sum += weight * log_loss_of_target(golden["logits"][i].get<float>(), golden["targets"][i].get<float>());
      all += weight;
    }
    EXPECT_NEAR(sum / all, golden["log_loss"], kNear);
  }
}

TEST(GoldenScores, QuantilesOfErrorsAreNumpys) {
  for (const Json& golden : golden()["errors"]) {
    const auto targets = golden["targets"].get<std::size_t>();
    const std::size_t rows = golden["true"].size() / targets;
    for (std::size_t target = 0; target < targets; ++target) {
      std::vector<WeighedError> errors;
      for (std::size_t i = 0; i < rows; ++i) {
        const std::size_t at = i * targets + target;
        const double error = golden["predicted"][at].get<double>() - golden["true"][at].get<double>();
        errors.push_back({.size = std::abs(error), .weight = weight_of(golden, i)});
      }
      const ErrorQuantiles found = error_quantiles(errors).value();
      for (std::size_t q = 0; q < kErrorQuantiles.size(); ++q) {
        EXPECT_NEAR(found.at[q], golden["quantiles"][target][q], kNear);
      }
      EXPECT_NEAR(found.largest, golden["largest"][target], kNear);
    }
  }
}

TEST(GoldenScores, OfTargetsAreScikitLearns) {
  for (const Json& golden : golden()["errors"]) {
    const auto width = golden["targets"].get<std::size_t>();
    const auto truth = golden["true"].get<std::vector<float>>();
    const auto predicted = golden["predicted"].get<std::vector<float>>();
    const bool weighted = !golden["weights"].is_null();
    const auto weights = weighted ? golden["weights"].get<std::vector<float>>() : std::vector<float>{};
    const DetailMetrics details(Task::regression, width, {}, {.weights = weighted}, true);
    std::vector<double> sums(details.num_sums());
    details.add_block(predicted, predicted, {.values = truth, .weights = weights}, sums, {});
    Scores scores;
    details.finish(sums, {}, scores);
    for (std::size_t target = 0; target < width; ++target) {
      const TargetScores& found = scores.targets[target];
      EXPECT_NEAR(found.r2.value(), golden["r2"][target], kNear);
      EXPECT_NEAR(found.explained_variance.value(), golden["explained_variance"][target], kNear);
      EXPECT_NEAR(found.rmse.value(), golden["rmse"][target], kNear);
      EXPECT_NEAR(found.mae.value(), golden["mae"][target], kNear);
      EXPECT_NEAR(found.mape.value(), golden["mape"][target], kNear);
    }
  }
}

TEST(GoldenScores, OfClassesAreScikitLearnsInBlocksToo) {
  for (const Json& golden : golden()["classes"]) {
    const auto classes = golden["classes"].get<std::size_t>();
    const auto logits = golden["logits"].get<std::vector<float>>();
    const auto labels = golden["labels"].get<std::vector<std::int32_t>>();
    const bool weighted = !golden["weights"].is_null();
    const auto weights = weighted ? golden["weights"].get<std::vector<float>>() : std::vector<float>{};
    const DetailMetrics details(Task::classification, classes, {}, {.weights = weighted}, true);
    std::vector<double> totals(details.num_sums());
    std::vector<std::int64_t> counts(details.num_counts());
    for (std::size_t row = 0; row < labels.size(); ++row) {  // a block a row
      std::vector<double> sums(details.num_sums());
      const auto outputs = std::span(logits).subspan(row * classes, classes);
      const Targets targets{.labels = std::span(labels).subspan(row, 1),
                            .weights = weighted ? std::span(weights).subspan(row, 1) : std::span<const float>{}};
      details.add_block(outputs, outputs, targets, sums, counts);
      for (std::size_t i = 0; i < sums.size(); ++i) totals[i] += sums[i];
    }
    Scores scores;
    details.finish(totals, counts, scores);
    EXPECT_NEAR(scores.precision.value(), golden["macro"][0], kNear);
    EXPECT_NEAR(scores.f1.value(), golden["macro"][2], kNear);
    EXPECT_NEAR(scores.log_loss.value(), golden["log_loss"], kNear);
  }
}

TEST(GoldenScores, AucOfClassesIsTheMeanOfEachAgainstTheRest) {
  for (const Json& golden : golden()["probabilities"]) {
    const auto classes = golden["classes"].get<std::size_t>();
    double auc = 0;
    double precision = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      std::vector<RankedSample> samples;
      for (std::size_t i = 0; i < golden["labels"].size(); ++i) {
        samples.push_back({.score = golden["probabilities"][i * classes + c].get<float>(),
                           .weight = static_cast<float>(weight_of(golden, i)),
                           .positive = golden["labels"][i] == c});
      }
      const RankScores found = rank_scores(samples);
      auc += found.auc.value() / static_cast<double>(classes);
      precision += found.average_precision.value() / static_cast<double>(classes);
    }
    EXPECT_NEAR(auc, golden["auc"], kNear);
    EXPECT_NEAR(precision, golden["average_precision"], kNear);
  }
}

}  // namespace
}  // namespace lockstep
