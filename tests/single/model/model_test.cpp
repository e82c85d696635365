// Model: whole-net gradients, the callback, starting weights, names and errors.
#include "model/model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "lockstep/error.hpp"
#include "model/loss.hpp"

namespace lockstep {
namespace {

LayerConfig dense(std::int64_t units) {
  return {"dense", {{"units", units}}};
}

ModelConfig small_net() {
  return {{"softmax_cross_entropy"}, {dense(7), {"tanh"}, {"dropout", {{"rate", 0.25}}}, dense(6), {"gelu"}, dense(4)}};
}

constexpr std::size_t kInputs = 5;
constexpr std::size_t kRows = 6;

// A net, its loss, and numbers to run them on.
struct Net {
  explicit Net(const ModelConfig& config = small_net(), std::size_t inputs = kInputs)
      : model(config, inputs),
        loss(make_loss(config.loss)),
        weights(model.parameters().arena_size()),
        x(kRows * inputs),
        workspace(model.make_workspace(kRows, true)) {
    model.initialize(3, weights);
    fill_uniform({3, RandomPurpose::bench, 0}, -1.0F, 1.0F, x);
  }

  [[nodiscard]] Pass pass(std::size_t begin = 0, std::size_t rows = kRows) const {
    return {true, 3, 2, std::span(samples).subspan(begin, rows)};
  }

  double evaluate(std::size_t begin = 0, std::size_t rows = kRows) {
    const auto input = std::span(x).subspan(begin * model.inputs(), rows * model.inputs());
    std::copy(input.begin(), input.end(), workspace.input(rows).begin());
    const auto outputs = model.forward(pass(begin, rows), weights, rows, workspace);
    const Targets targets{std::span(labels).subspan(begin, rows), {}};
    return loss->evaluate(model.outputs(), outputs, targets, workspace.doutputs(rows));
  }

  std::vector<float> gradient(std::size_t begin = 0, std::size_t rows = kRows, float old_contents = 0) {
    evaluate(begin, rows);
    std::vector<float> result(weights.size(), old_contents);
    model.backward(pass(begin, rows), weights, rows, workspace, result, {});
    return result;
  }

  Model model;
  std::unique_ptr<Loss> loss;
  std::vector<float> weights;
  std::vector<float> x;
  std::vector<std::int32_t> labels{0, 1, 2, 3, 1, 0};
  std::vector<std::uint32_t> samples{10, 20, 30, 40, 50, 60};
  Workspace workspace;
};

bool is_weight(const Model& model, std::size_t index) {
  const auto entries = model.parameters().entries();
  return std::any_of(entries.begin(), entries.end(), [&](const Parameter& p) { return p.range.contains(index); });
}

std::string error_of(const ModelConfig& config) {
  try {
    (void)Model(config, kInputs);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(Model, GradientMatchesCentralDifferences) {
  Net net;
  const auto gradient = net.gradient();
  constexpr float epsilon = 1e-2F;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    if (!is_weight(net.model, i)) continue;
    const float old = net.weights[i];
    net.weights[i] = old + epsilon;
    const double high = net.weights[i];
    const double above = net.evaluate();
    net.weights[i] = old - epsilon;
    const double below = net.evaluate();
    const double slope = (above - below) / (high - double{net.weights[i]});
    net.weights[i] = old;
    // Six rows of float rounding, 6 * 2e-7 / (2 epsilon) = 6e-5, and epsilon^2/6 = 2e-5 times third derivatives of
    // order 1. The largest gradients here are near 2.
    EXPECT_NEAR(gradient[i], slope, 3e-4) << i;
  }
  EXPECT_GT(*std::max_element(gradient.begin(), gradient.end()), 0.1F);
}

TEST(Model, BackwardOverwritesAndLeavesThePaddingAlone) {
  Net net;
  const auto clean = net.gradient();
  const auto dirty = net.gradient(0, kRows, 7.0F);
  for (std::size_t i = 0; i < clean.size(); ++i) {
    EXPECT_EQ(dirty[i], is_weight(net.model, i) ? clean[i] : 7.0F) << i;
  }
}

TEST(Model, TheGradientOfNoRowsIsZero) {
  Net net;
  const auto gradient = net.gradient(2, 0, 7.0F);
  for (std::size_t i = 0; i < gradient.size(); ++i) EXPECT_EQ(gradient[i], is_weight(net.model, i) ? 0.0F : 7.0F) << i;
}

TEST(Model, AShardDoesNotSeeWhatTheWorkspaceHeldBefore) {
  Net used;
  used.evaluate();
  used.gradient();
  const auto after = used.gradient(4, 2);
  Net fresh;
  EXPECT_EQ(after, fresh.gradient(4, 2));
  EXPECT_EQ(used.evaluate(1, 3), fresh.evaluate(1, 3));
}

TEST(Model, ReportsEachLayersRangeFromTheLastToTheFirst) {
  for (const std::size_t rows : {kRows, std::size_t{0}}) {
    Net net;
    net.evaluate(0, rows);
    std::vector<float> gradient(net.weights.size());
    std::vector<Range> ready;
    net.model.backward(net.pass(0, rows), net.weights, rows, net.workspace, gradient,
                       [&](Range range) { ready.push_back(range); });
    const auto entries = net.model.parameters().entries();  // weight, bias of three dense layers
    ASSERT_EQ(ready.size(), 3U);
    for (std::size_t layer = 0; layer < 3; ++layer) {
      EXPECT_EQ(ready[2 - layer], (Range{entries[2 * layer].range.begin, entries[2 * layer + 1].range.end}));
    }
  }
}

TEST(Model, LayersBeforeTheFirstWithParametersNeedNoGradient) {
  // An identity before the net must not change the net's gradient.
  ModelConfig config = small_net();
  config.layers.insert(config.layers.begin(), {"leaky_relu", {{"negative_slope", 1.0}}});
  config.layers.erase(config.layers.begin() + 3);  // the masks of dropout depend on its index
  ModelConfig plain = small_net();
  plain.layers.erase(plain.layers.begin() + 2);
  Net with(config);
  Net without(plain);
  EXPECT_EQ(with.gradient(), without.gradient());
}

TEST(Model, FrozenLayersAreLeftOutOfTheGradient) {
  for (const std::vector<std::string>& frozen :
       std::initializer_list<std::vector<std::string>>{{"dense1"}, {"dense2"}, {"dense3", "dense1"}}) {
    ModelConfig config = small_net();
    config.freeze = frozen;
    Net net(config);
    Net plain;
    EXPECT_EQ(net.weights, plain.weights);
    net.evaluate();
    std::vector<float> gradient(net.weights.size(), 7.0F);
    std::size_t told = gradient.size();  // all of the arena is told of, from its end to its beginning
    net.model.backward(net.pass(), net.weights, kRows, net.workspace, gradient, [&](Range range) {
      EXPECT_LE(range.end, told);
      told = range.begin;
    });
    EXPECT_EQ(told, 0U);
    const auto all = plain.gradient();
    const auto entries = net.model.parameters().entries();
    for (std::size_t entry = 0; entry < entries.size(); ++entry) {
      const bool is_frozen = std::find(frozen.begin(), frozen.end(), entries[entry].layer) != frozen.end();
      EXPECT_EQ(net.model.trained()[entry], !is_frozen);
      for (std::size_t i = entries[entry].range.begin; i < entries[entry].range.end; ++i) {
        ASSERT_EQ(gradient[i], is_frozen ? 7.0F : all[i]) << entries[entry].layer << " " << i;
      }
    }
  }
}

TEST(Model, BelowTheFirstLayerToTrainNothingIsDifferentiated) {
  const auto visited = [](const std::vector<std::string>& frozen) {
    ModelConfig config = small_net();
    config.freeze = frozen;
    Net net(config);
    net.evaluate();
    std::vector<std::size_t> layers;
    std::vector<float> gradient(net.weights.size());
    net.model.backward(net.pass(), net.weights, kRows, net.workspace, gradient, {},
                       [&](std::size_t layer, std::span<const float>) { layers.push_back(layer); });
    return layers;
  };
  EXPECT_EQ(visited({}), (std::vector<std::size_t>{5, 4, 3, 2, 1, 0}));
  EXPECT_EQ(visited({"dense1", "dense2"}), (std::vector<std::size_t>{5}));
  EXPECT_EQ(visited({"dense2"}), (std::vector<std::size_t>{5, 4, 3, 2, 1, 0}));
}

TEST(Model, WhatCannotBeFrozenIsRefused) {
  ModelConfig config = small_net();
  for (const char* name : {"dense4", "tanh1"}) {
    config.freeze = {"dense1", name};
    const std::string text = error_of(config);
    EXPECT_NE(text.find("model.freeze"), std::string::npos) << text;
    EXPECT_NE(text.find("dense1, dense2, dense3"), std::string::npos) << text;
    EXPECT_NE(text.find(name), std::string::npos) << text;
  }
  config.freeze = {"dense3", "dense1", "dense2"};
  EXPECT_NE(error_of(config).find("at least one"), std::string::npos);
}

TEST(Model, ANetWithoutParametersHasAnEmptyGradient) {
  Net net({{"softmax_cross_entropy"}, {{"tanh"}}});
  EXPECT_EQ(net.model.parameters().count(), 0U);
  EXPECT_TRUE(net.gradient().empty());
}

TEST(Model, InfersWidthsAndTheTable) {
  const Model model(small_net(), kInputs);
  EXPECT_EQ(model.inputs(), kInputs);
  EXPECT_EQ(model.outputs(), 4U);
  EXPECT_EQ(model.parameters().count(), 7U * 5 + 7 + 6 * 7 + 6 + 4 * 6 + 4);
  const Parameter& weight = model.parameters().entries()[2];
  EXPECT_EQ(weight.layer, "dense2");
  EXPECT_EQ(weight.name, "weight");
  EXPECT_EQ(weight.shape, (std::vector<std::size_t>{6, 7}));
}

TEST(Model, StartingWeightsArePureFunctionsOfSeedAndParameterIndex) {
  const Model model({{"mse"}, {dense(3), {"relu"}, {"dense", {{"units", 4}, {"init", "kaiming_normal"}}}}}, 9);
  std::vector<float> weights(model.parameters().arena_size(), 5.0F);
  model.initialize(77, weights);
  std::vector<float> expected(weights.size());  // padding 0; the second bias starts at 0
  const auto tensor = [&](std::size_t index) {
    const Range range = model.parameters().entries()[index].range;
    return std::span(expected).subspan(range.begin, range.size());
  };
  fill_uniform({77, RandomPurpose::initialize, 0}, -1.0F / 3, 1.0F / 3, tensor(0));
  fill_uniform({77, RandomPurpose::initialize, 1}, -1.0F / 3, 1.0F / 3, tensor(1));
  fill_normal({77, RandomPurpose::initialize, 2}, static_cast<float>(std::sqrt(2.0 / 3)), tensor(2));
  EXPECT_EQ(weights, expected);
}

TEST(Model, NamesLayersByTypeAndCountOrByTheirOwnName) {
  ModelConfig config{{"mse"}, {dense(3), {"relu"}, dense(3), {"relu", {}, "the_Last-1"}, dense(2)}};
  const Model model(config, kInputs);
  const auto names = model.layer_names();
  EXPECT_EQ(std::vector<std::string>(names.begin(), names.end()),
            (std::vector<std::string>{"dense1", "relu1", "dense2", "the_Last-1", "dense3"}));
}

TEST(Model, RefusesTwoLayersOfOneNameNamingBoth) {
  ModelConfig config{{"mse"}, {dense(3), {"relu"}, dense(3)}};
  config.layers[0].name = "dense2";
  const std::string message = error_of(config);
  EXPECT_NE(message.find("\"dense2\""), std::string::npos) << message;
  EXPECT_NE(message.find("model.layers[0] (dense)"), std::string::npos) << message;
  EXPECT_NE(message.find("model.layers[2] (dense)"), std::string::npos) << message;
}

TEST(Model, RefusesNamesThatCannotBeAGroupOfAFile) {
  for (const char* name : {"a/b", "a b", ".", "\xC3\xA4"}) {
    ModelConfig config{{"mse"}, {dense(3)}};
    config.layers[0].name = name;
    EXPECT_NE(error_of(config).find(name), std::string::npos);
  }
}

TEST(Model, ErrorsOfALayerNameItsPlace) {
  ModelConfig config{{"mse"}, {dense(3), {"relu"}, dense(0)}};
  EXPECT_NE(error_of(config).find("model.layers[2] (dense)"), std::string::npos);
  config.layers[2] = {"dence"};
  const std::string unknown = error_of(config);
  EXPECT_NE(unknown.find("model.layers[2]"), std::string::npos);
  EXPECT_NE(unknown.find("leaky_relu"), std::string::npos);  // the known ones
  config.layers[2] = dense(0);
  config.layers[2].options.set_where("run.toml: layer 3");
  EXPECT_NE(error_of(config).find("run.toml: layer 3"), std::string::npos);
}

TEST(Model, ErrorsOfInputsNameTheLayerItsInputsAndTheirShapes) {
  const auto message = [](std::vector<LayerConfig> layers) { return error_of({{"mse"}, std::move(layers)}); };
  const LayerConfig three{"dense", {{"units", 3}}, "three"};
  const LayerConfig four{"dense", {{"units", 4}}, "four", {"input"}};
  EXPECT_EQ(message({three, four, {"add", {}, "", {"three", "four"}}}),
            "model.layers[2] (add) of three [3], four [4]: expected inputs of one shape");
  EXPECT_EQ(message({three, {"relu", {}, "", {"tree"}}}),
            "model.layers[1] (relu): inputs: no layer is named \"tree\"; before it stand input, three");
  EXPECT_EQ(message({{"relu", {}, "", {"three"}}, three}),
            "model.layers[0] (relu): inputs: \"three\" stands behind it; a layer reads layers that stand before it");
  EXPECT_EQ(message({{"relu", {}, "", {"relu1"}}}),
            "model.layers[0] (relu): inputs: it cannot read its own output (\"relu1\")");
  EXPECT_EQ(
      message({three, four}),
      "model.layers[0] (dense): no layer reads the output of \"three\"; name it in the inputs of another layer, or "
      "leave it out");
  EXPECT_NE(message({{"relu", {}, "input"}}).find("that of what the net gets"), std::string::npos);
}

TEST(Model, StagesEndWhereALayerNeedsTheWholeBatch) {
  const LayerConfig norm{"batch_norm"};
  const Model model({{"mse"}, {norm, dense(3), norm, {"relu"}, dense(2)}}, kInputs);
  ASSERT_EQ(model.num_stages(), 3U);
  EXPECT_EQ(model.num_sums(0), 1 + 2 * kInputs);
  EXPECT_EQ(model.num_sums(1), 1U + 2 * 3);
  const auto entries = model.parameters().entries();  // four of a norm, two of a dense layer
  EXPECT_EQ(model.stage_elements(2), (Range{entries[6].range.begin, model.parameters().arena_size()}));
  EXPECT_EQ(model.stage_elements(1), (Range{0, entries[6].range.begin}));
  EXPECT_EQ(model.stage_elements(0), (Range{0, 0}));
}

TEST(Model, TellsTheProductsOfAStepAndWhatItsLayersCost) {
  ModelConfig config{{"mse"}, {dense(3), {"tanh"}, dense(4), dense(2)}};
  config.freeze = {"dense1"};
  const Model model(config, kInputs);
  const auto products = model.products();
  ASSERT_EQ(products.size(), 3U);
  EXPECT_EQ(products[0].in, kInputs);
  EXPECT_FALSE(products[0].needs_dw || products[0].needs_dx || products[1].needs_dx);
  EXPECT_TRUE(products[1].needs_dw && products[2].needs_dx);
  const auto expect_cost = [&](std::size_t layer, double forward, double by_weights, double by_inputs) {
    EXPECT_EQ(model.cost(layer).forward, forward) << layer;
    EXPECT_EQ(model.cost(layer).by_weights, by_weights) << layer;
    EXPECT_EQ(model.cost(layer).by_inputs, by_inputs) << layer;
  };
  expect_cost(0, 2 * 3 * kInputs, 0, 0);  // frozen
  expect_cost(2, 2 * 4 * 3, 2 * 4 * 3, 0);
  expect_cost(3, 2 * 2 * 4, 2 * 2 * 4, 2 * 2 * 4);
}

TEST(Model, RefusesANetWithoutLayersOrInputs) {
  EXPECT_NE(error_of({{"mse"}, {}}).find("model.layers"), std::string::npos);
  EXPECT_THROW((void)Model(small_net(), 0), Error);
}

TEST(Model, RefusesRowsAndArenasOfTheWrongSize) {
  Net net;
  std::vector<float> gradient(net.weights.size());
  std::vector<float> small(net.weights.size() - 1);
  auto forward_only = net.model.make_workspace(kRows, false);
  EXPECT_THROW((void)net.model.forward({}, net.weights, kRows + 1, net.workspace), Error);
  EXPECT_THROW((void)net.model.forward({}, small, kRows, net.workspace), Error);
  EXPECT_THROW((void)net.model.forward(net.pass(), net.weights, kRows - 1, net.workspace), Error);
  EXPECT_THROW(net.model.backward(net.pass(), net.weights, kRows, net.workspace, small, {}), Error);
  EXPECT_THROW(net.model.backward(net.pass(), net.weights, kRows, forward_only, gradient, {}), Error);
}

TEST(Model, AWorkspaceForForwardAloneIsSmallerAndGivesTheSameOutputs) {
  Net net;
  auto forward_only = net.model.make_workspace(kRows, false);
  EXPECT_LT(forward_only.bytes(), net.workspace.bytes());
  EXPECT_EQ(net.model.workspace_bytes(kRows, false), forward_only.bytes());
  EXPECT_EQ(net.model.workspace_bytes(kRows, true), net.workspace.bytes());
  EXPECT_EQ(forward_only.doutputs(kRows).size(), kRows * net.model.outputs());
  std::copy(net.x.begin(), net.x.end(), forward_only.input(kRows).begin());
  std::copy(net.x.begin(), net.x.end(), net.workspace.input(kRows).begin());
  const auto a = net.model.forward({}, net.weights, kRows, forward_only);
  const auto b = net.model.forward({}, net.weights, kRows, net.workspace);
  EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end()));
}

}  // namespace
}  // namespace lockstep
