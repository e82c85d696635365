#include "explain/gradient_check.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "single/explain/sample_nets.hpp"
#include "support/expect_error.hpp"
#include "support/layer_bench.hpp"

namespace lockstep {
namespace {

std::vector<ComparedWeight> compare(const SampleNet& net, GradientCheck& check) {
  std::vector<ComparedWeight> compared;
  for (const WeightPlace& place : weights_to_check(net.model, 1000, 1)) {
    compared.push_back({place, check.gradient(place), check.central(place)});
  }
  return compared;
}

GradientCheck check_of(const SampleNet& net) {
  return {net.config, net.model, *net.loss, net.weights, net.rows(), net.pass()};
}

// Walks the tables: a layer or loss that is added is checked here without a word.
TEST(GradientCheck, PassesForEveryLayerWithEveryLoss) {
  for (const std::vector<LayerConfig>& of_layer : test::nets_of_all_layers()) {
    for (const Component& loss : all_losses()) {
      std::vector<LayerConfig> layers{{"dense", {{"units", 8}}, "first"}};
      layers.insert(layers.end(), of_layer.begin(), of_layer.end());
      for (LayerConfig& layer : layers) std::ranges::replace(layer.inputs, "input", "first");
      layers.push_back({"flatten"});
      layers.push_back({"dense", {{"units", kOutputs}}, "last"});
      layers.front().inputs = {};
      const LayerConfig& layer = of_layer.back();
      const SampleNet net(layers, loss, 4, 8);
      GradientCheck check = check_of(net);
      ASSERT_GE(check.samples(), 6U);
      EXPECT_NEAR(check.loss() / check.plain_loss(), 1, 2e-6);
      const auto checks = check_parameters(compare(net, check), check.slope_scale());
      const auto runs = [](const Parameter& parameter) { return parameter.kind == ParameterKind::running; };
      const auto entries = net.model.parameters().entries();
      EXPECT_EQ(checks.size() + static_cast<std::size_t>(std::ranges::count_if(entries, runs)), entries.size());
      for (const ParameterCheck& of_parameter : checks) {
        EXPECT_LT(of_parameter.largest, 1e-4) << layer.type << " " << loss.type << " " << of_parameter.parameter;
        EXPECT_EQ(of_parameter.at_kinks, 0U);
      }
    }
  }
}

TEST(GradientCheck, FindsAGradientThatIsOff) {
  const SampleNet net({{"dense", {{"units", 5}}}, {"tanh"}, {"dense", {{"units", 3}}}}, {"mse"}, 4, 8);
  GradientCheck check = check_of(net);
  std::vector<ComparedWeight> compared = compare(net, check);
  ComparedWeight& wrong = compared[7];
  wrong.gradient *= 1.01;
  const auto checks = check_parameters(compared, check.slope_scale());
  EXPECT_GT(checks[0].largest, 1e-3);
  EXPECT_EQ(checks[0].place.element, wrong.place.element);
  EXPECT_EQ(checks[0].gradient, wrong.gradient);
  EXPECT_LT(checks[1].largest, 1e-4);
}

TEST(GradientCheck, WhatADifferenceIsRelativeTo) {
  const auto largest = [](std::vector<ComparedWeight> weights, double scale) {
    return check_parameters(weights, scale).at(0).largest;
  };
  // To the larger of both; to the mean of the parameter; to the scale; to nothing where they are equal.
  EXPECT_DOUBLE_EQ(largest({{{0, 0}, 2, {1, false}}}, 0), 0.5);
  EXPECT_DOUBLE_EQ(largest({{{0, 0}, 1e-3, {0, false}}, {{0, 1}, 1, {1, false}}}, 0), 1e-3 / std::sqrt(0.5));
  EXPECT_DOUBLE_EQ(largest({{{0, 0}, 1e-5, {0, false}}}, 10), 1e-3);
  EXPECT_EQ(largest({{{0, 0}, 0, {0, false}}}, 0), 0);
  // Not at kinks; a NaN is never passed over.
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto checks = check_parameters(
      std::vector<ComparedWeight>{{{0, 0}, 5, {1, true}}, {{1, 16}, nan, {1, false}}, {{1, 17}, 9, {1, false}}}, 0);
  EXPECT_EQ(checks[0].at_kinks, 1U);
  EXPECT_EQ(checks[0].largest, 0);
  EXPECT_TRUE(std::isnan(checks[1].largest));
}

TEST(GradientCheck, LeavesOutWhatLiesAtAKink) {
  SampleNet net({{"dense", {{"units", 1}, {"bias", false}}}, {"relu"}}, {"mse"}, 1, 2);
  net.x = {0, 1};  // the first sample is at the kink for both, with any weight
  net.weights[0] = 1;
  GradientCheck check = check_of(net);
  EXPECT_EQ(check.samples(), 2U);
  EXPECT_FALSE(check.central({0, 0}).at_kink);
  net.weights[0] = 0;
  GradientCheck at_zero = check_of(net);
  EXPECT_TRUE(at_zero.central({0, 0}).at_kink);
  EXPECT_EQ(check_parameters(compare(net, at_zero), 1).at(0).at_kinks, 1U);
}

// In float 1 + 2^-25 - 1 is 0, in double it is not: there is no kink that both see from one side.
TEST(GradientCheck, LeavesOutASampleThatFloatAndDoubleSeeFromTwoSides) {
  SampleNet net({{"dense", {{"units", 1}}}, {"relu"}}, {"mse"}, 2, 3);
  net.weights[0] = 1;
  net.weights[1] = 1;
  net.weights[net.model.parameters().entries()[1].range.begin] = -1;
  net.x = {1, 0x1p-25F, 3, 1, 0, 0};
  const GradientCheck check = check_of(net);
  EXPECT_EQ(check.samples(), 2U);
  EXPECT_EQ(check.left_out(), 1U);
  net.x = {1, 0x1p-25F, 1, 0x1p-25F, 1, 0x1p-25F};
  expect_error(ErrorKind::config, {"every sample lies at a kink"}, [&] { (void)check_of(net); });
}

TEST(GradientCheck, SamplesWithoutWeightAreRefused) {
  const std::vector<double> weights{0, 0, 1};
  SampleNet net({{"dense", {{"units", 3}}}}, {"softmax_cross_entropy", {{"class_weights", weights}}}, 2, 2);
  expect_error(ErrorKind::config, {"weight 0"}, [&] { (void)check_of(net); });
}

TEST(WeightsToCheck, AreAllThatTrainOrASeededSample) {
  ModelConfig config{{"mse"}, {{"dense", {{"units", 30}}}, {"dense", {{"units", 2}}}}, {"dense2"}, {}};
  const Model model(config, 10);
  const auto all = weights_to_check(model, 1000, 1);
  EXPECT_EQ(all.size(), 330U);  // dense2 is frozen
  const auto some = weights_to_check(model, 20, 1);
  EXPECT_EQ(some.size(), 40U);
  std::set<std::size_t> elements;
  for (const WeightPlace& place : some) elements.insert(place.element);
  EXPECT_EQ(elements.size(), some.size());
  EXPECT_TRUE(std::ranges::is_sorted(some, {}, &WeightPlace::element));
  const auto same = [](const auto& a, const auto& b) {
    return std::ranges::equal(a, b, {}, &WeightPlace::element, &WeightPlace::element);
  };
  EXPECT_TRUE(same(some, weights_to_check(model, 20, 1)));
  EXPECT_FALSE(same(some, weights_to_check(model, 20, 2)));
}

}  // namespace
}  // namespace lockstep
