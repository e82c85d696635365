// What outputs say, against the definitions.
#include "model/predictions.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "support/expect_error.hpp"

namespace lockstep {
namespace {

TEST(Predictions, OfClassesAreSoftmaxAndTheFirstOfTheLargest) {
  Predictions found;
  const std::vector<float> logits{1, 3, 3, -2, 80, 100};
  add_predictions(*make_loss({"softmax_cross_entropy"}), 3, logits, {}, found);
  ASSERT_EQ(found.rows, 2U);
  EXPECT_EQ(found.labels, (std::vector<std::int64_t>{1, 2}));
  const double total = std::exp(-2.0) + 2;
  EXPECT_NEAR(found.probabilities[0], std::exp(-2.0) / total, 1e-7);  // float's rounding
  EXPECT_NEAR(found.probabilities[1], 1 / total, 1e-7);
  EXPECT_NEAR(found.probabilities[4], std::exp(-20.0), 1e-14);
  EXPECT_EQ(found.probabilities[5], 1);
}

TEST(Predictions, OfARowDoNotDependOnItsNeighbours) {
  std::vector<float> logits(7 * 3);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = std::sin(static_cast<float>(i));
  for (const char* type : {"softmax_cross_entropy", "binary_cross_entropy", "hinge", "multi_margin"}) {
    const auto loss = make_loss({type});
    Predictions together;
    Predictions alone;
    add_predictions(*loss, 3, logits, {}, together);
    for (std::size_t row = 0; row < 7; ++row)
      add_predictions(*loss, 3, std::span(logits).subspan(3 * row, 3), {}, alone);
    EXPECT_EQ(alone.probabilities, together.probabilities);
    EXPECT_EQ(alone.labels, together.labels);
  }
}

TEST(Predictions, OfABinaryOutputAreSigmoidAndItsSide) {
  Predictions found;
  add_predictions(*make_loss({"binary_cross_entropy"}), 1, std::vector<float>{0, 2, -1}, {}, found);
  EXPECT_EQ(found.labels, (std::vector<std::int64_t>{0, 1, 0}));  // 0 is not above 0, as in the scores
  EXPECT_EQ(found.probabilities[0], 0.5F);
  EXPECT_NEAR(found.probabilities[1], 1 / (1 + std::exp(-2.0)), 1e-6);
}

TEST(Predictions, OfValuesAreInTheTargetsUnits) {
  Predictions found;
  add_predictions(*make_loss({"mse"}), 2, std::vector<float>{1, 2}, {{100, -3}, {10, 0.5}}, found);
  add_predictions(*make_loss({"mse"}), 2, std::vector<float>{0, 0}, {{100, -3}, {10, 0.5}}, found);
  EXPECT_EQ(found.values, (std::vector<double>{110, -2, 100, -3}));
  EXPECT_EQ(found.rows, 2U);
  expect_error(ErrorKind::usage, {"width"}, [&] {
    add_predictions(*make_loss({"mse"}), 2, std::vector<float>{1, 2, 3}, {}, found);
  });
}

TEST(Predictions, OfALossWithSeveralAnswersAreAllOfThem) {
  Predictions found;
  const std::vector<float> outputs{1, 0, -2, 3};
  add_predictions(*make_loss({"gaussian_nll"}), 4, outputs, {{100, -3}, {10, 0.5}}, found);
  ASSERT_EQ(found.values.size(), 4U);
  EXPECT_EQ(found.values[0], 110);
  EXPECT_NEAR(found.values[1], 10 * std::sqrt(std::log(2.0)), 1e-12);
  EXPECT_EQ(found.values[2], -4);
  EXPECT_NEAR(found.values[3], 0.5 * std::sqrt(std::log1p(std::exp(3.0))), 1e-12);
  found.clear();
  add_predictions(*make_loss({"quantile"}), 3, std::vector<float>{1, 2, 3}, {{100}, {10}}, found);
  EXPECT_EQ(found.values, (std::vector<double>{110, 120, 130}));
  found.clear();
  add_predictions(*make_loss({"poisson_nll"}), 1, std::vector<float>{2}, {}, found);
  EXPECT_DOUBLE_EQ(found.values[0], std::exp(2.0));
}

TEST(Predictions, OfALossWithoutProbabilitiesAreTheOutputs) {
  Predictions found;
  add_predictions(*make_loss({"multi_margin"}), 3, std::vector<float>{1, 5, -2}, {}, found);
  EXPECT_EQ(found.probabilities, (std::vector<float>{1, 5, -2}));
  EXPECT_EQ(found.labels, (std::vector<std::int64_t>{1}));
}

}  // namespace
}  // namespace lockstep
