// dropout: its mask is a pure function of seed, layer, step, sample and column.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "layers/layer_table.hpp"
#include "lockstep/error.hpp"
#include "support/layer_bench.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kWidth = 1001;  // not a multiple of four

std::vector<float> forward(const Layer& layer, const PassContext& pass, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  const std::size_t rows = std::max<std::size_t>(pass.samples.size(), 1);
  const Shape shape{x.size() / rows};
  const Tensor<const float> input{x, rows, shape};
  layer.forward(pass, {.parameters = {{}, {}}, .x = {&input, 1}, .y = {y, rows, shape}});
  return y;
}

TEST(Dropout, KeepsColumnJWhenWordJIsAtLeastTheRate) {
  const auto layer = make_layer("dropout", {{"rate", 0.25}});
  const std::vector<std::uint32_t> samples{17, 4000000000U};
  const std::vector<float> x(2 * kWidth, 3.0F);
  const auto y = forward(*layer, {true, 9, 5, 2, samples}, x);
  for (std::size_t row = 0; row < 2; ++row) {
    std::vector<std::uint32_t> words(kWidth);
    random_fill({9, RandomPurpose::dropout, 2, 5, samples[row]}, words);
    for (std::size_t j = 0; j < kWidth; ++j) {
      const float expected = words[j] >= 0x40000000U ? 4.0F : 0.0F;  // 3 / (1 - 0.25)
      ASSERT_EQ(y[row * kWidth + j], expected) << row << ' ' << j;
    }
  }
}

TEST(Dropout, DropsAboutItsRate) {
  const auto layer = make_layer("dropout", {{"rate", 0.3}});
  std::vector<std::uint32_t> samples(100);
  for (std::uint32_t i = 0; i < 100; ++i) samples[i] = i;
  const std::vector<float> x(100 * kWidth, 1.0F);
  const auto y = forward(*layer, {true, 1, 0, 0, samples}, x);
  const auto dropped = static_cast<double>(std::count(y.begin(), y.end(), 0.0F));
  // 100100 draws: the deviation of the share is 0.00145; five of them.
  EXPECT_NEAR(dropped / static_cast<double>(y.size()), 0.3, 0.0075);
}

TEST(Dropout, ASamplesMaskDoesNotDependOnItsRow) {
  const auto layer = make_layer("dropout", {});
  const std::vector<std::uint32_t> both{3, 8};
  const std::vector<std::uint32_t> alone{8};
  const auto two = forward(*layer, {true, 1, 7, 0, both}, std::vector<float>(2 * kWidth, 1.0F));
  const auto one = forward(*layer, {true, 1, 7, 0, alone}, std::vector<float>(kWidth, 1.0F));
  EXPECT_TRUE(std::equal(one.begin(), one.end(), two.begin() + kWidth));
}

TEST(Dropout, MasksDifferBySeedStepLayerAndSample) {
  const auto layer = make_layer("dropout", {});
  const std::vector<float> x(kWidth, 1.0F);
  const std::vector<std::uint32_t> sample{8};
  const std::vector<std::uint32_t> other{9};
  const auto y = forward(*layer, {true, 1, 7, 0, sample}, x);
  EXPECT_NE(y, forward(*layer, {true, 2, 7, 0, sample}, x));
  EXPECT_NE(y, forward(*layer, {true, 1, 8, 0, sample}, x));
  EXPECT_NE(y, forward(*layer, {true, 1, 7, 1, sample}, x));
  EXPECT_NE(y, forward(*layer, {true, 1, 7, 0, other}, x));
}

TEST(Dropout, BackwardDropsWhatForwardDropped) {
  test::LayerBench bench("dropout", {}, {{kWidth}}, 2);  // of zeros, which must not look dropped
  std::ranges::fill(bench.dy, 1.0F);
  const auto dx = bench.backward().dx[0];
  std::ranges::fill(bench.x[0], 1.0F);
  EXPECT_EQ(dx, bench.forward());
}

TEST(Dropout, CopiesOutsideTraining) {
  const std::vector<float> x{1, -2, 3};
  EXPECT_EQ(forward(*make_layer("dropout", {{"rate", 0.9}}), {}, x), x);
}

TEST(Dropout, ARateOfZeroCopies) {
  const std::vector<std::uint32_t> samples{0};
  const std::vector<float> x{1, -2, 3};
  EXPECT_EQ(forward(*make_layer("dropout", {{"rate", 0}}), {true, 1, 0, 0, samples}, x), x);
}

TEST(Dropout, ADroppedInfinityIsZero) {
  const std::vector<std::uint32_t> samples{0};
  const std::vector<float> x(kWidth, std::numeric_limits<float>::infinity());
  const auto y = forward(*make_layer("dropout", {}), {true, 1, 0, 0, samples}, x);
  EXPECT_GT(std::count(y.begin(), y.end(), 0.0F), 0);
}

TEST(Dropout, RefusesRatesOutsideZeroToOne) {
  EXPECT_THROW((void)make_layer("dropout", {{"rate", 1.0}}), Error);
  EXPECT_THROW((void)make_layer("dropout", {{"rate", -0.1}}), Error);
}

TEST(Dropout, RefusesTrainingWithoutSampleIndices) {
  EXPECT_THROW((void)forward(*make_layer("dropout", {}), {true}, std::vector<float>(3)), Error);
}

}  // namespace
}  // namespace lockstep
