// Activations against their formulas in double.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

#include "layers/layer_table.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

// Of samples of one number.
std::vector<float> forward(const Layer& layer, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  const Tensor<const float> input{x, x.size(), {1}};
  layer.forward({}, {.parameters = {{}, {}}, .x = {&input, 1}, .y = {y, x.size(), {1}}});
  return y;
}

std::vector<float> backward(const Layer& layer, const std::vector<float>& x, const std::vector<float>& dy) {
  std::vector<float> dx(x.size());
  const std::vector<float> y = forward(layer, x);
  const Tensor<const float> input{x, x.size(), {1}};
  const Tensor<float> to{dx, x.size(), {1}};
  layer.backward({}, {.parameters = {{}, {}},
                      .x = {&input, 1},
                      .y = {y, x.size(), {1}},
                      .dy = {dy, x.size(), {1}},
                      .dx = {&to, 1},
                      .gradients = {{}, {}}});
  return dx;
}

double gelu(double x) {
  return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
}

double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

// Floats near 10 are exact to 5e-7; the functions behind add errors of the same size.
constexpr double kTolerance = 2e-6;

void expect_formula(const Layer& layer, const std::function<double(double)>& exact) {
  std::vector<float> x;
  for (int i = -1000; i <= 1000; ++i) x.push_back(static_cast<float>(i) * 0.01F);
  const auto y = forward(layer, x);
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(y[i], exact(double{x[i]}), kTolerance) << x[i];
}

TEST(Activations, MatchTheirFormulas) {
  expect_formula(*make_layer("gelu", {}), gelu);
  expect_formula(*make_layer("gelu", {{"approximate", "tanh"}}), gelu_tanh);
  expect_formula(*make_layer("tanh", {}), [](double x) { return std::tanh(x); });
  expect_formula(*make_layer("sigmoid", {}), [](double x) { return 1 / (1 + std::exp(-x)); });
  expect_formula(*make_layer("relu", {}), [](double x) { return std::max(x, 0.0); });
  expect_formula(*make_layer("leaky_relu", {}), [](double x) { return x > 0 ? x : 0.01 * x; });
}

TEST(Gelu, TheTwoFormsDiffer) {
  EXPECT_GT(std::abs(gelu(2) - gelu_tanh(2)), 10 * kTolerance);  // or the formula test could not tell them apart
}

TEST(Gelu, RefusesAnUnknownApproximation) {
  EXPECT_THROW((void)make_layer("gelu", {{"approximate", "sigmoid"}}), Error);
}

TEST(Relu, PassesTheGradientWhereTheInputIsPositive) {
  EXPECT_EQ(backward(*make_layer("relu", {}), {-1, 0, 2, 1e-30F, -0.0F}, {5, 6, 7, 8, 9}),
            (std::vector<float>{0, 0, 7, 8, 0}));
}

TEST(LeakyRelu, ScalesTheGradientElsewhere) {
  const auto layer = make_layer("leaky_relu", {{"negative_slope", 0.25}});
  EXPECT_EQ(forward(*layer, {-4, 0, 3}), (std::vector<float>{-1, 0, 3}));
  EXPECT_EQ(backward(*layer, {-4, 0, 3}, {8, 8, 8}), (std::vector<float>{2, 2, 8}));
}

TEST(Activations, AnElementsPlaceDoesNotMatter) {
  std::vector<float> x(1300);  // longer than the chunks of gelu's backward
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 611) * 0.01F - 3.0F;
  for (const LayerType& entry : layer_table()) {
    if (!entry.activation) continue;
    SCOPED_TRACE(entry.info.name);
    const auto layer = make_layer(entry.info.name, {});
    const auto whole = forward(*layer, x);
    const auto whole_dx = backward(*layer, x, x);
    const std::vector<float> part(x.begin() + 517, x.end());
    const auto y = forward(*layer, part);
    const auto dx = backward(*layer, part, part);
    EXPECT_TRUE(std::equal(y.begin(), y.end(), whole.begin() + 517));
    EXPECT_TRUE(std::equal(dx.begin(), dx.end(), whole_dx.begin() + 517));
  }
}

}  // namespace
}  // namespace lockstep
