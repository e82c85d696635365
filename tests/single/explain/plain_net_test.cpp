// The plain layers and losses against those that train: two ways to the same numbers.
#include "explain/plain_net.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "layers/layer_table.hpp"
#include "lockstep/error.hpp"
#include "single/explain/sample_nets.hpp"
#include "support/layer_bench.hpp"

namespace lockstep {
namespace {

TEST(PlainLoss, EveryNameHasOne) {
  std::vector<std::string_view> plain;
  for (const PlainLossType& type : plain_loss_table()) plain.push_back(type.name);
  EXPECT_EQ(plain, loss_names());
  EXPECT_THROW((void)make_plain_loss({"l1"}), Error);
}

TEST(PlainLayer, GivesWhatTheLayerGives) {
  for (const std::vector<LayerConfig>& layers : test::nets_of_all_layers()) {
    const SampleNet net(layers, {"mse"}, 8, 9);
    Workspace workspace = net.model.make_workspace(net.samples.size(), true);
    std::ranges::copy(net.x, workspace.input(net.samples.size()).begin());
    const auto outputs = net.model.forward(net.pass(), net.weights, net.samples.size(), workspace);
    const PlainNet plain(net.config, net.model);
    const CentralDifferences values(plain, net.weights, net.rows(), net.plain_pass(), 1);
    const std::size_t width = net.model.outputs();
    for (std::size_t row = 0; row < net.samples.size(); ++row) {
      for (std::size_t i = 0; i < width; ++i) {
        EXPECT_NEAR(values.outputs(row, layers.size() - 1)[i], outputs[row * width + i], 2e-6)
            << layers.back().type << " " << row;
      }
    }
  }
}

TEST(PlainLayer, SlopesAreThoseOfTheLayer) {
  constexpr std::size_t kWidth = 64;
  for (const LayerConfig& config : chain_layers()) {
    const auto plain = make_plain_layer(config.type, config.options);
    if (!plain->number_by_number()) continue;
    const std::vector<std::uint32_t> samples{4};
    test::LayerBench bench(config.type, config.options, {{kWidth}}, 1);
    bench.pass = {.training = true, .seed = 7, .step = 3, .layer = 2, .samples = samples};
    fill_uniform({1, RandomPurpose::bench, 0}, -3, 3, bench.x[0]);
    std::ranges::fill(bench.dy, 1.0F);
    const std::vector<float>& x = bench.x[0];
    const std::vector<float> dx = bench.backward().dx[0];
    std::vector<double> slopes(kWidth);
    plain->slopes({7, 3, 4, 2}, std::vector<double>(x.begin(), x.end()), slopes);
    for (std::size_t i = 0; i < kWidth; ++i) EXPECT_NEAR(slopes[i], dx[i], 2e-6) << config.type << " at " << x[i];
    EXPECT_FALSE(plain->formula().value.empty() || plain->formula().slope.empty());
  }
}

TEST(PlainLoss, GivesWhatTheLossGives) {
  for (const Component& config : all_losses()) {
    const SampleNet net({{"dense", {{"units", kOutputs}}}}, config, 4, 30);
    const auto loss = make_loss(config);
    Workspace workspace = net.model.make_workspace(net.samples.size(), true);
    std::ranges::copy(net.x, workspace.input(net.samples.size()).begin());
    const auto outputs = net.model.forward(net.pass(), net.weights, net.samples.size(), workspace);
    const double sum = loss->evaluate(kOutputs, outputs, net.rows().targets, workspace.doutputs(net.samples.size()));
    const PlainNet plain(net.config, net.model);
    const CentralDifferences values(plain, net.weights, net.rows(), net.plain_pass(), 1);
    EXPECT_NEAR(values.loss() / sum, 1, 1e-6) << config.type;
    EXPECT_FALSE(plain.loss().formula(kOutputs).value.empty() || plain.loss().formula(1).slope.empty());
  }
}

TEST(PlainLoss, TellsClassWeightsWithSmoothingByAFormulaThatHolds) {
  const std::vector<double> c{0.5, 1.5, 0.25};
  const Component config{"softmax_cross_entropy", {{"class_weights", c}, {"label_smoothing", 0.2}}};
  const Formula formula = make_plain_loss(config)->formula(3);
  EXPECT_EQ(formula.value, "C = -sum of v log p, v = q c / c[t], q[i] = 0.2 / 3 + (0.8 where i = t)");
  EXPECT_EQ(formula.slope, "dC/da[i] = p[i] (sum of v) - v[i], p = softmax(a), c the class weights");
  const std::vector<float> a{0.3F, -0.4F, 1};
  const std::vector<std::int32_t> t{1};
  std::vector<float> slopes(3);
  const auto loss = make_loss(config);
  const double weight = loss->weight(1, {t, {}});
  const double cost = loss->evaluate(3, a, {t, {}}, slopes) / weight;
  const std::vector<double> v{0.2 / 3 * 0.5 / 1.5, 0.2 / 3 + 0.8, 0.2 / 3 * 0.25 / 1.5};
  const double sum = std::exp(0.3) + std::exp(-0.4) + std::exp(1);
  double expected = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const double p = std::exp(double{a[i]}) / sum;
    expected -= v[i] * std::log(p);
    EXPECT_NEAR(slopes[i] / weight, p * (v[0] + v[1] + v[2]) - v[i], 1e-6) << i;
  }
  EXPECT_NEAR(cost, expected, 1e-6);
}

// C = (w x - t)^2 has the derivative 2 (w x - t) x, and relu none at 0.
TEST(CentralDifferences, GiveTheDerivative) {
  SampleNet net({{"dense", {{"units", 1}, {"bias", false}}}}, {"mse"}, 1, 1);
  net.x = {1.5F};
  net.values = {0.25F};
  net.weights[0] = 0.75F;
  const PlainNet plain(net.config, net.model);
  CentralDifferences differences(plain, net.weights, net.rows(), net.plain_pass(), 2);
  const CentralDifference found = differences.at({0, 0});
  EXPECT_FALSE(found.at_kink);
  EXPECT_NEAR(found.value, 2 * (0.75 * 1.5 - 0.25) * 1.5 / 2, 1e-9);  // over the weight of 2
  EXPECT_NEAR(differences.loss(), (0.75 * 1.5 - 0.25) * (0.75 * 1.5 - 0.25) / 2, 1e-12);
}

TEST(CentralDifferences, KnowAKinkAndComeCloserToOneThatIsNear) {
  SampleNet net({{"dense", {{"units", 1}, {"bias", false}}}, {"relu"}}, {"mse"}, 1, 1);
  net.x = {1};
  net.values = {-1};
  const PlainNet plain(net.config, net.model);
  for (const auto& [weight, kink] : {std::pair{0.0F, true}, {1e-6F, false}, {-1e-6F, false}, {1e-9F, true}}) {
    net.weights[0] = weight;
    CentralDifferences differences(plain, net.weights, net.rows(), net.plain_pass(), 1);
    const CentralDifference found = differences.at({0, 0});
    EXPECT_EQ(found.at_kink, kink) << weight;
    const double value = kink ? 0 : found.value;
    EXPECT_NEAR(value, !kink && weight > 0 ? 2 : 0, 1e-5) << weight;
  }
}

}  // namespace
}  // namespace lockstep
