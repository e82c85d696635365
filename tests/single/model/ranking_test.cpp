// What has no value: the values are tested against scikit-learn's, tests/golden/scores_test.cpp.
#include "model/ranking.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace lockstep {
namespace {

std::vector<RankedSample> samples(std::vector<float> scores, std::vector<bool> positive) {
  std::vector<RankedSample> all;
  for (std::size_t i = 0; i < scores.size(); ++i) all.push_back({.score = scores[i], .positive = positive[i]});
  return all;
}

TEST(Ranking, HasNoScoresWhereAClassIsMissing) {
  for (const bool one : {false, true}) {
    auto all = samples({0.1F, 0.9F}, {one, one});
    EXPECT_FALSE(rank_scores(all).auc);
    EXPECT_FALSE(rank_scores(all).average_precision);
    EXPECT_FALSE(best_threshold(ThresholdRule::f1, all));
  }
  EXPECT_FALSE(rank_scores({}).auc);
}

TEST(Ranking, HasNoScoresWhereAClassHasNoWeight) {
  auto all = samples({0.1F, 0.9F}, {false, true});
  all[0].weight = 0;
  EXPECT_FALSE(rank_scores(all).auc);
  all[0].weight = -1;
  EXPECT_FALSE(rank_scores(all).auc);
}

TEST(Ranking, EqualScoresAreWorthHalf) {
  auto all = samples({0.5F, 0.5F, 0.5F}, {false, true, false});
  EXPECT_EQ(rank_scores(all).auc, 0.5);
}

TEST(Threshold, LiesBetweenTwoProbabilitiesAndIsTheLargestOfTheBest) {
  auto all = samples({0.25F, 0.5F, 0.75F, 1.0F}, {false, true, false, true});
  const auto found = best_threshold(ThresholdRule::youden, all);
  EXPECT_EQ(found.value().value, 0.875);
  EXPECT_EQ(found.value().score, 0.5);
}

TEST(Threshold, AllMayBeAboveIt) {
  auto all = samples({0.25F, 0.5F, 0.75F}, {true, true, false});
  const auto found = best_threshold(ThresholdRule::f1, all);
  EXPECT_EQ(found.value().value, 0.125);
  EXPECT_EQ(found.value().score, 0.8);
}

TEST(Threshold, IsAProbabilityAlsoWhereSomeAnswersAreNone) {
  for (const float none : {-1.0F, -std::numeric_limits<float>::infinity()}) {
    auto all = samples({0.25F, 0.75F, none, none}, {true, true, false, true});
    const auto found = best_threshold(ThresholdRule::f1, all);
    EXPECT_EQ(found.value().value, 0.125);
    EXPECT_EQ(found.value().score, 0.8);
  }
}

TEST(Threshold, IsNoneWhereNoneIsBetterThanNoAnswer) {
  auto all = samples({0.25F, 0.75F}, {true, false});
  EXPECT_FALSE(best_threshold(ThresholdRule::youden, all));
}

TEST(ErrorQuantiles, TakeNoNegativeWeights) {
  std::vector<WeighedError> errors{{.size = 1, .weight = 2}, {.size = 2, .weight = -1}};
  EXPECT_FALSE(error_quantiles(errors));
  EXPECT_FALSE(error_quantiles({}));
}

TEST(ErrorQuantiles, LeaveOutWhatHasNoWeight) {
  std::vector<WeighedError> errors{{.size = 1, .weight = 2}, {.size = 9, .weight = 0}};
  EXPECT_EQ(error_quantiles(errors).value().largest, 1);
  EXPECT_EQ(error_quantiles(errors).value().at[2], 1);
}

}  // namespace
}  // namespace lockstep
