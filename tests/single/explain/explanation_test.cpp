#include "explain/explanation.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "explain/json.hpp"
#include "explain/text.hpp"
#include "single/explain/sample_nets.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

Explanation explain(const SampleNet& net, std::string_view weight = "") {
  std::vector<float> after = net.weights;
  for (float& value : after) value += 1;
  ExplainInput input{net.config, net.model, *net.loss, net.weights, after, net.rows(), net.pass(), {}};
  if (!weight.empty()) input.weight = find_weight(net.model.parameters(), weight, "--weight");
  return explain_sample(input);
}

double chain_sum(const Chain& chain) {
  double sum = chain.others;
  for (const ChainPath& path : chain.paths) sum += path.product();
  return sum;
}

TEST(Explanation, FactorsMultiplyToEveryGradientWithEveryLayerAndLoss) {
  for (const LayerConfig& layer : chain_layers()) {
    for (const Component& loss : all_losses()) {
      const SampleNet net(
          {{"dense", {{"units", 5}}}, {layer.type, layer.options, "between"}, {"dense", {{"units", kOutputs}}, "last"}},
          loss, 4, 1);
      const Explanation e = explain(net, "dense1[2,1]");
      EXPECT_TRUE(e.is_whole);
      std::size_t weights = 0;
      for (const Stage& stage : e.stages) {
        for (const ExplainedWeight& weight : stage.weights) {
          const double product = weight.of_unit * weight.of_activation * weight.of_weight;
          EXPECT_NEAR(product, weight.gradient, 2e-6) << layer.type << " " << loss.type << " " << weight.name;
          EXPECT_NEAR(weight.central.value, weight.gradient, 2e-6) << layer.type << " " << loss.type;
          EXPECT_EQ(weight.after, static_cast<double>(static_cast<float>(weight.value) + 1));
          ++weights;
        }
      }
      EXPECT_EQ(weights, net.model.parameters().count());
      ASSERT_TRUE(e.chain);
      EXPECT_NEAR(chain_sum(*e.chain), e.chain->weight.gradient, 2e-6) << layer.type << " " << loss.type;
      // A layer that mixes numbers leads to all of its outputs, another to those behind.
      const bool mixes = !make_plain_layer(layer.type, layer.options)->number_by_number();
      EXPECT_EQ(e.chain->num_paths, mixes ? net.model.width(1) : std::size_t{kOutputs}) << layer.type;
    }
  }
}

TEST(Explanation, StagesAreLayersWithTheirActivations) {
  const SampleNet net({{"dropout"}, {"dense", {{"units", 4}}}, {"relu"}, {"dropout"}, {"dense", {{"units", 2}}}},
                      {"mse"}, 3, 1);
  const Explanation e = explain(net);
  ASSERT_EQ(e.stages.size(), 3U);
  EXPECT_EQ(e.stages[0].name(), "dropout1");
  EXPECT_FALSE(e.stages[0].has_weights);
  EXPECT_EQ(e.stages[1].name(), "dense1, relu1, dropout2");
  EXPECT_EQ(e.stages[2].name(), "dense2");
  EXPECT_EQ(e.stages[1].x, e.stages[0].a);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(e.stages[1].a[i], std::max(e.stages[1].z[i], 0.0) * e.stages[1].slopes[i], 1e-6);
    EXPECT_NEAR(e.stages[1].dz[i], e.stages[1].da[i] * e.stages[1].slopes[i], 1e-6);
  }
  EXPECT_EQ(e.stages[2].da, e.loss_slopes);
}

TEST(Explanation, OfALargeNetTheLargestAreShownAndTheChosen) {
  const SampleNet net(
      {{"dense", {{"units", 40}}}, {"tanh"}, {"dense", {{"units", 30}}}, {"tanh"}, {"dense", {{"units", 2}}}}, {"mse"},
      50, 1);
  const Explanation e = explain(net, "dense2[29,39]");
  EXPECT_FALSE(e.is_whole);
  for (const Stage& stage : e.stages) {
    EXPECT_LE(stage.weights.size(), 64U);
    EXPECT_EQ(stage.edges.size(), stage.shown_units.size() * (stage.shown_inputs.size() + 1));
    EXPECT_TRUE(std::ranges::is_sorted(stage.shown_units));
  }
  EXPECT_EQ(e.stages[1].weights.size(), 8U);
  const auto is_chosen = [](const ExplainedWeight& weight) { return weight.name == "dense2[29,39]"; };
  EXPECT_EQ(std::ranges::count_if(e.stages[1].weights, is_chosen), 1);
  EXPECT_EQ(std::ranges::count_if(e.stages[1].edges, is_chosen), 1);
  EXPECT_EQ(e.stages[0].shown_units, e.stages[1].shown_inputs);
  EXPECT_EQ(e.chain->num_paths, 2);
  EXPECT_NEAR(chain_sum(*e.chain), e.chain->weight.gradient, 1e-6);
  const auto largest = [](const Stage& stage) {
    double most = 0;
    for (const ExplainedWeight& weight : stage.weights) most = std::max(most, std::abs(weight.gradient));
    return most;
  };
  EXPECT_NEAR(largest(e.stages[0]), largest(explain(net).stages[0]), 0);
  const Explanation first = explain(net, "dense1[0,0]");  // through 30 * 2 paths
  EXPECT_EQ(first.chain->num_paths, 30);
  EXPECT_EQ(first.chain->paths.size(), 8U);
  EXPECT_NE(first.chain->others, 0);
  EXPECT_NEAR(chain_sum(*first.chain), first.chain->weight.gradient, 1e-6);
}

TEST(Explanation, WhatIsFrozenHasNoGradient) {
  SampleNet net({{"dense", {{"units", 3}}}, {"tanh"}, {"dense", {{"units", 3}}}, {"tanh"}, {"dense", {{"units", 2}}}},
                {"mse"}, 2, 1);
  net.config.freeze = {"dense1", "dense3"};
  net.model = Model(net.config, 2);
  const Explanation e = explain(net, "dense2[0,0]");
  EXPECT_FALSE(e.stages[0].is_trained);
  EXPECT_TRUE(e.stages[0].dz.empty());
  EXPECT_FALSE(e.stages[2].is_trained);
  EXPECT_FALSE(e.stages[2].dz.empty());
  EXPECT_NEAR(chain_sum(*e.chain), e.chain->weight.central.value, 1e-6);
  expect_error(ErrorKind::config, {"dense1[0,0]", "frozen"}, [&] { (void)explain(net, "dense1[0,0]"); });
  const std::string text = explanation_text(e);
  EXPECT_NE(text.find("nothing is passed back to here"), std::string::npos);
  EXPECT_NE(text.find("frozen: no gradient of its own"), std::string::npos);
}

TEST(Explanation, TheCostIsDividedByTheWeightOfTheClass) {
  const std::vector<double> weights{0.5, 0, 2};
  SampleNet net({{"dense", {{"units", 3}}}}, {"softmax_cross_entropy", {{"class_weights", weights}}}, 2, 1);
  net.labels = {2};
  const double weighted = explain(net).cost;
  SampleNet plain({{"dense", {{"units", 3}}}}, {"softmax_cross_entropy"}, 2, 1);
  plain.labels = {2};
  EXPECT_NEAR(weighted, explain(plain).cost, 1e-6);
  EXPECT_NEAR(explain(net).stages[0].weights[0].gradient, explain(plain).stages[0].weights[0].gradient, 1e-6);
  net.labels = {1};
  expect_error(ErrorKind::config, {"sample 10", "weight 0"}, [&] { (void)explain(net); });
}

void expect_narrow(const std::string& text) {
  for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
    end = text.find('\n', begin);
    ASSERT_LE(end - begin, 80U) << text.substr(begin, end - begin);
  }
}

TEST(Explanation, TextFitsATerminal) {
  for (const LayerConfig& layer : chain_layers()) {
    for (const Component& loss : all_losses()) {
      const SampleNet net(
          {{"dense", {{"units", 20}}}, {layer.type, layer.options, "between"}, {"dense", {{"units", kOutputs}}}}, loss,
          30, 1);
      expect_narrow(explanation_text(explain(net, "dense1[3]")));
    }
  }
}

TEST(Explanation, NamesThatAreLongHaveLinesOfTheirOwn) {
  const SampleNet net(
      {{"dense", {{"units", 20}}, "a_layer_whose_name_is_rather_long"}, {"tanh"}, {"dense", {{"units", kOutputs}}}},
      {"mse"}, 30, 1);
  const std::string text = explanation_text(explain(net, "a_layer_whose_name_is_rather_long[3,2]"));
  expect_narrow(text);
  EXPECT_NE(text.find("  a_layer_whose_name_is_rather_long[3,2]\n   "), std::string::npos);
  EXPECT_EQ(text.find("]-"), std::string::npos);
}

TEST(Explanation, TextHoldsTheNumbers) {
  const SampleNet net({{"dense", {{"units", 20}}}, {"gelu"}, {"dense", {{"units", kOutputs}}}},
                      {"softmax_cross_entropy"}, 30, 1);
  Explanation e = explain(net, "dense1[3]");
  e.class_names = {"0", "cat", "dog"};
  const std::string text = explanation_text(e);
  for (const Stage& stage : e.stages) {
    for (const ExplainedWeight& weight : stage.weights) {
      EXPECT_NE(text.find(fmt::format("{:.7g}", weight.gradient)), std::string::npos) << weight.name;
    }
  }
  EXPECT_NE(text.find("The chain of dense1[3]"), std::string::npos);
  EXPECT_NE(text.find(fmt::format("C = {:.7g}", e.cost)), std::string::npos);
  EXPECT_NE(text.find("t = 0\n"), std::string::npos);  // a name that only repeats the label is left out
  e.target.label = 1;
  EXPECT_NE(explanation_text(e).find("t = 1 (cat)"), std::string::npos);
}

TEST(Explanation, JsonHoldsTheSame) {
  const SampleNet net({{"dense", {{"units", 2}}}, {"relu"}, {"dense", {{"units", 1}}}}, {"mse"}, 2, 1);
  const Explanation e = explain(net, "dense1[1,0]");
  const auto json = explanation_json(e);
  EXPECT_EQ(json["stages"].size(), 2U);
  EXPECT_EQ(json["stages"][0]["weights"][2]["name"], "dense1[1,0]");
  EXPECT_EQ(json["stages"][0]["weights"][2]["dC_dw"], e.stages[0].weights[2].gradient);
  EXPECT_EQ(json["stages"][0]["weights"][4]["input"], nullptr);  // a bias
  EXPECT_EQ(json["loss"]["targets"][0], e.target.values[0]);
  EXPECT_EQ(json["chain"]["weight"]["name"], "dense1[1,0]");
  EXPECT_EQ(explanation_json(explain(net))["chain"], nullptr);
}

}  // namespace
}  // namespace lockstep
