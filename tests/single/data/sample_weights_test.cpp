// Sums of weights, exact in any order, and statistics by weight.
#include "data/sample_weights.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "data/normalization.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

TEST(WeightSums, AreExactWhoeverAddsWhichPart) {
  std::mt19937 random(1);
  std::vector<float> weights;
  for (int i = 0; i < 3000; ++i) {
    weights.push_back(std::ldexp(static_cast<float>(random() % 2001) - 700, static_cast<int>(random() % 20) - 12));
  }
  float largest = 0;
  long double sum = 0;  // 64 bits hold all of it
  for (const float weight : weights) {
    largest = std::max(largest, std::abs(weight));
    sum += weight;
  }
  WeightSums all(largest);
  for (std::size_t i = 0; i < weights.size(); ++i) all.add(weights[i], i % 3);
  WeightSums first(largest);
  WeightSums second(largest);
  for (std::size_t i = weights.size(); i-- > 0;) (i % 7 == 0 ? first : second).add(weights[i], i % 3);
  for (std::size_t i = 0; i < first.words().size(); ++i) first.words()[i] += second.words()[i];
  EXPECT_EQ(all.words(), first.words());
  EXPECT_EQ(all.positive() + all.negative(), static_cast<double>(sum));
  EXPECT_EQ(all.by_label(), first.by_label());
  EXPECT_EQ(all.by_label()[0] + all.by_label()[1] + all.by_label()[2], static_cast<double>(sum));
}

TEST(WeightSums, OfNothingAreZero) {
  EXPECT_EQ(WeightSums(0).positive(), 0.0);
  WeightSums zeros(0);
  zeros.add(0.0F);
  EXPECT_EQ(zeros.positive() + zeros.negative(), 0.0);
}

TEST(FitScaling, ByWeightsIsWhatCopiesOfTheRowsGive) {
  const Table all = make_table<float>(2, {1, 10, 5, 20, 2, 70, 9, 40});
  const Table weights = make_table<std::int8_t>(1, {2, 0, -1, 3});
  const Table copies = make_table<float>(2, {1, 10, 1, 10, 2, 70, 9, 40, 9, 40, 9, 40});
  const ColumnScaling by_weight = fit_scaling(NormalizeMethod::standard, all, {}, {.weights = &weights});
  const ColumnScaling by_copy = fit_scaling(NormalizeMethod::standard, copies);
  for (std::size_t c = 0; c < 2; ++c) {
    EXPECT_NEAR(by_weight.shift[c], by_copy.shift[c], 1e-12);
    EXPECT_NEAR(by_weight.scale[c], by_copy.scale[c], 1e-12);
  }
}

TEST(FitScaling, LeavesOutWhatIsMissing) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Table gaps = make_table<float>(2, {1, nan, nan, 4, 3, nan, 8, 6});
  for (const NormalizeMethod method : {NormalizeMethod::standard, NormalizeMethod::minmax}) {
    const ColumnScaling found = fit_scaling(method, gaps, {}, {.missing = true});
    const ColumnScaling first = fit_scaling(method, make_table<float>(1, {1, 3, 8}));
    const ColumnScaling second = fit_scaling(method, make_table<float>(1, {4, 6}));
    EXPECT_EQ(found.shift, (std::vector<double>{first.shift[0], second.shift[0]}));
    EXPECT_EQ(found.scale, (std::vector<double>{first.scale[0], second.scale[0]}));
  }
}

TEST(FitScaling, OfWeightZeroAloneChangesNothing) {
  const Table rows = make_table<float>(1, {3, 5});
  const Table weights = make_table<float>(1, {0, 0});
  const ColumnScaling found = fit_scaling(NormalizeMethod::standard, rows, {}, {.weights = &weights});
  EXPECT_EQ(found.scale[0], 1.0);
  EXPECT_TRUE(std::isfinite(found.shift[0]));
}

// 0.3 by such weights has another mean than 0.3, by rounding, and a spread of some 1e-17.
TEST(FitScaling, AColumnIsConstantThatIsSoWhereWeightsAreNotZero) {
  std::vector<float> floats;
  std::vector<std::int64_t> integers;
  std::vector<float> weights;
  for (int row = 0; row < 3000; ++row) {
    weights.push_back(row % 3 == 0 ? 0.0F : 0.1F + 0.37F * static_cast<float>(row % 7));
    floats.push_back(row % 3 == 0 ? static_cast<float>(row) : 0.3F);
    integers.push_back(row % 3 == 0 ? row : 7);
  }
  for (const float least : {0.0F, 1e-37F}) {  // of the rows that differ: nothing, or next to nothing
    for (std::size_t row = 0; row < weights.size(); row += 3) weights[row] = least;
    const Table w = make_table<float>(1, weights);
    for (const auto& [table, value] :
         {std::pair{make_table<float>(1, floats), double{0.3F}}, {make_table<std::int64_t>(1, integers), 7.0}}) {
      const ColumnScaling found = fit_scaling(NormalizeMethod::standard, table, {}, {.weights = &w});
      EXPECT_NEAR(found.shift[0], value, 1e-15);
      EXPECT_GE(found.scale[0], 1.0);
    }
    const Table table = make_table<float>(1, floats);
    const ColumnScaling range = fit_scaling(NormalizeMethod::minmax, table, {}, {.weights = &w});
    EXPECT_EQ(range.scale[0], least == 0 ? 1.0 : 2997.0);
  }
}

TEST(WeighLabels, AreSumsOfWeightsOrNumbers) {
  Dataset data;
  data.x = make_table<float>(1, {0, 0, 0, 0});
  data.y = make_table<std::uint8_t>(1, {0, 2, 2, 0});
  EXPECT_EQ(weigh_labels(data, 3), (std::vector<double>{2, 0, 2}));
  data.w = make_table<double>(1, {0.5, 2, -0.25, 1});
  EXPECT_EQ(weigh_labels(data, 3), (std::vector<double>{1.5, 0, 1.75}));
  EXPECT_EQ(weigh_labels(data, 3, std::vector<std::uint32_t>{1, 3}), (std::vector<double>{1, 0, 2}));
  EXPECT_EQ(weigh_samples(data).negatives, 1);
  EXPECT_EQ(weigh_samples(data).sum(), 3.25);
}

}  // namespace
}  // namespace lockstep
