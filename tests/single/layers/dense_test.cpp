// dense against numbers worked out by hand, and its starting weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "compute/compute.hpp"
#include "layers/layer_table.hpp"
#include "lockstep/error.hpp"
#include "support/layer_bench.hpp"

namespace lockstep {
namespace {

std::vector<ParameterSpec> parameters(const Options& options, std::size_t inputs) {
  return make_layer("dense", options)->plan(std::vector<Shape>{Shape{inputs}}).parameters;
}

void expect_tensor(const ParameterSpec& spec, const char* name, const std::vector<std::size_t>& shape,
                   ParameterKind kind) {
  EXPECT_EQ(spec.name, name);
  EXPECT_EQ(spec.shape, shape);
  EXPECT_EQ(spec.kind, kind);
}

TEST(Dense, MultipliesByTheTransposedWeightAndAddsTheBias) {
  test::LayerBench bench("dense", {{"units", 2}}, {{3}}, 2);
  std::ranges::copy(std::vector<float>{1, 2, 3, -1, 0, 1}, bench.weights.begin());  // W [2,3]
  std::ranges::copy(std::vector<float>{10, 20}, bench.weights.begin() + 16);        // the bias, on the next line
  bench.x[0] = {1, 1, 1, 0, 2, -1};                                                 // [2,3]
  EXPECT_EQ(bench.forward(), (std::vector<float>{16, 20, 11, 19}));
  bench.dy = {1, 2, 3, 4};
  const auto gradients = bench.backward(true, 7.0F);  // sums over the rows
  EXPECT_EQ(std::vector<float>(gradients.weights.begin(), gradients.weights.begin() + 6),
            (std::vector<float>{1, 7, -2, 2, 10, -2}));
  EXPECT_EQ(std::vector<float>(gradients.weights.begin() + 16, gradients.weights.begin() + 18),
            (std::vector<float>{4, 6}));
  EXPECT_EQ(gradients.dx[0], (std::vector<float>{-1, 2, 5, -1, 6, 13}));
}

TEST(Dense, MapsTheLastExtentOfEachPosition) {
  test::LayerBench flat("dense", {{"units", 2}}, {{3}}, 4);
  test::LayerBench deep("dense", {{"units", 2}}, {{2, 3}}, 2);
  fill_uniform({1, RandomPurpose::bench, 0}, -1, 1, flat.weights);
  fill_uniform({1, RandomPurpose::bench, 1}, -1, 1, flat.x[0]);
  fill_uniform({1, RandomPurpose::bench, 2}, -1, 1, flat.dy);
  deep.weights = flat.weights;
  deep.x = flat.x;
  deep.dy = flat.dy;
  EXPECT_EQ(deep.plan.output, (Shape{2, 2}));
  EXPECT_EQ(deep.forward(), flat.forward());
  EXPECT_EQ(deep.backward(), flat.backward());
}

TEST(Dense, HasAWeightOfOutByInAndABias) {
  const auto specs = parameters({{"units", 5}}, 3);
  ASSERT_EQ(specs.size(), 2U);
  expect_tensor(specs[0], "weight", {5, 3}, ParameterKind::weight);
  expect_tensor(specs[1], "bias", {5}, ParameterKind::bias);
  EXPECT_EQ(parameters({{"units", 5}, {"bias", false}}, 3).size(), 1U);
}

TEST(Dense, StartsAsPyTorchDoesByDefault) {
  const auto specs = parameters({{"units", 5}}, 16);
  for (const auto& spec : specs) {
    EXPECT_EQ(spec.start, ParameterSpec::Start::uniform);
    EXPECT_EQ(spec.scale, 0.25);  // 1 / sqrt(16)
  }
}

TEST(Dense, KnowsTheOtherStartsAndZeroesTheBiasWithThem) {
  using Start = ParameterSpec::Start;
  struct Expected {
    const char* init;
    Start start;
    double scale;
  };
  const std::vector<Expected> table{{"xavier_uniform", Start::uniform, 0.5},  // sqrt(6 / (6 + 18))
                                    {"xavier_normal", Start::normal, std::sqrt(2.0 / 24)},
                                    {"kaiming_uniform", Start::uniform, 1.0},  // sqrt(6 / 6)
                                    {"kaiming_normal", Start::normal, std::sqrt(2.0 / 6)}};
  for (const Expected& expected : table) {
    SCOPED_TRACE(expected.init);
    const auto specs = parameters({{"units", 18}, {"init", expected.init}}, 6);
    EXPECT_EQ(specs[0].start, expected.start);
    EXPECT_DOUBLE_EQ(specs[0].scale, expected.scale);
    EXPECT_EQ(specs[1].start, Start::constant);
    EXPECT_EQ(specs[1].scale, 0);
  }
  const auto specs = parameters({{"units", 2}, {"init", "constant"}, {"init_value", 0.125}}, 6);
  EXPECT_EQ(specs[0].start, Start::constant);
  EXPECT_EQ(specs[0].scale, 0.125);
  EXPECT_EQ(specs[1].scale, 0);
}

TEST(Dense, RefusesBadOptions) {
  EXPECT_THROW((void)make_layer("dense", {}), Error);
  EXPECT_THROW((void)make_layer("dense", {{"units", 0}}), Error);
  EXPECT_THROW((void)make_layer("dense", {{"units", 2.5}}), Error);
  EXPECT_THROW((void)make_layer("dense", {{"units", std::int64_t{1} << 31}}), Error);
  EXPECT_THROW((void)make_layer("dense", {{"units", 2}, {"init", "zeros"}}), Error);
  EXPECT_THROW((void)make_layer("dense", {{"units", 2}, {"init", "constant"}}), Error);
  EXPECT_THROW((void)make_layer("dense", {{"units", 2}, {"init_value", 1.0}}), Error);
}

}  // namespace
}  // namespace lockstep
