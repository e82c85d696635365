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
  add_predictions(Task::classification, 3, logits, {}, found);
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
  for (const Task task : {Task::classification, Task::binary}) {
    Predictions together;
    Predictions alone;
    add_predictions(task, 3, logits, {}, together);
    for (std::size_t row = 0; row < 7; ++row)
      add_predictions(task, 3, std::span(logits).subspan(3 * row, 3), {}, alone);
    EXPECT_EQ(alone.probabilities, together.probabilities);
    EXPECT_EQ(alone.labels, together.labels);
  }
}

TEST(Predictions, OfABinaryOutputAreSigmoidAndItsSide) {
  Predictions found;
  add_predictions(Task::binary, 1, std::vector<float>{0, 2, -1}, {}, found);
  EXPECT_EQ(found.labels, (std::vector<std::int64_t>{0, 1, 0}));  // 0 is not above 0, as in the scores
  EXPECT_EQ(found.probabilities[0], 0.5F);
  EXPECT_NEAR(found.probabilities[1], 1 / (1 + std::exp(-2.0)), 1e-6);
}

TEST(Predictions, OfValuesAreInTheTargetsUnits) {
  Predictions found;
  add_predictions(Task::regression, 2, std::vector<float>{1, 2}, {{100, -3}, {10, 0.5}}, found);
  add_predictions(Task::regression, 2, std::vector<float>{0, 0}, {{100, -3}, {10, 0.5}}, found);
  EXPECT_EQ(found.values, (std::vector<double>{110, -2, 100, -3}));
  EXPECT_EQ(found.rows, 2U);
  expect_error(ErrorKind::usage, {"width"}, [&] {
    add_predictions(Task::regression, 2, std::vector<float>{1, 2, 3}, {}, found);
  });
}

}  // namespace
}  // namespace lockstep
