// dense against numbers worked out by hand, and its starting weights.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "compute/compute.hpp"
#include "layers/layer_table.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

TEST(Dense, MultipliesByTheTransposedWeightAndAddsTheBias) {
  const auto compute = make_compute();
  const auto layer = make_layer("dense", {{"units", 2}});
  const std::vector<float> weights{1, 2, 3, -1, 0, 1, /*bias*/ 10, 20};  // W [2,3]
  const std::vector<Range> ranges{{0, 6}, {6, 8}};
  const std::vector<float> x{1, 1, 1, 0, 2, -1};  // [2,3]
  std::vector<float> y(4);
  layer->forward({.compute = compute.get()}, {weights, ranges}, x, y);
  EXPECT_EQ(y, (std::vector<float>{16, 20, 11, 19}));
}

TEST(Dense, GradientsAreSumsOverTheRows) {
  const auto compute = make_compute();
  const auto layer = make_layer("dense", {{"units", 2}});
  const std::vector<float> weights{1, 2, 3, -1, 0, 1, 10, 20};
  const std::vector<Range> ranges{{0, 6}, {6, 8}};
  const std::vector<float> x{1, 1, 1, 0, 2, -1};
  const std::vector<float> dy{1, 2, 3, 4};
  std::vector<float> dx(6);
  std::vector<float> gradient(8, 7.0F);
  layer->backward({.compute = compute.get()}, {weights, ranges}, x, {}, dy, dx, {gradient, ranges});
  EXPECT_EQ(gradient, (std::vector<float>{1, 7, -2, 2, 10, -2, /*bias*/ 4, 6}));
  EXPECT_EQ(dx, (std::vector<float>{-1, 2, 5, -1, 6, 13}));
}

TEST(Dense, HasAWeightOfOutByInAndABias) {
  const auto layer = make_layer("dense", {{"units", 5}});
  EXPECT_EQ(layer->outputs(3), 5U);
  const auto specs = layer->parameters(3);
  ASSERT_EQ(specs.size(), 2U);
  EXPECT_EQ(specs[0].name, "weight");
  EXPECT_EQ(specs[0].shape, (std::vector<std::size_t>{5, 3}));
  EXPECT_EQ(specs[0].kind, ParameterKind::weight);
  EXPECT_EQ(specs[1].name, "bias");
  EXPECT_EQ(specs[1].shape, (std::vector<std::size_t>{5}));
  EXPECT_EQ(specs[1].kind, ParameterKind::bias);
  EXPECT_EQ(make_layer("dense", {{"units", 5}, {"bias", false}})->parameters(3).size(), 1U);
}

TEST(Dense, StartsAsPyTorchDoesByDefault) {
  const auto specs = make_layer("dense", {{"units", 5}})->parameters(16);
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
    const auto specs = make_layer("dense", {{"units", 18}, {"init", expected.init}})->parameters(6);
    EXPECT_EQ(specs[0].start, expected.start);
    EXPECT_DOUBLE_EQ(specs[0].scale, expected.scale);
    EXPECT_EQ(specs[1].start, Start::constant);
    EXPECT_EQ(specs[1].scale, 0);
  }
  const auto specs = make_layer("dense", {{"units", 2}, {"init", "constant"}, {"init_value", 0.125}})->parameters(6);
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
