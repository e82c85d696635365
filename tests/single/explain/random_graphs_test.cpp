// Nets of random graphs: whatever shares memory in their workspaces, gradients are those of central differences in
// double, which know of no workspace.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "config/layer_names.hpp"
#include "explain/gradient_check.hpp"
#include "single/explain/sample_nets.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kWidth = 3;

class Graphs {
 public:
  explicit Graphs(unsigned seed) : random_(seed) {}

  // Up to 14 layers of width kWidth that read any before them, then all loose ends together and a dense layer.
  std::vector<LayerConfig> next() {
    std::vector<LayerConfig> layers{{"dense", {{"units", std::int64_t{kWidth}}}, "l0"}};
    const std::size_t count = 2 + pick(12);
    for (std::size_t i = 1; i < count; ++i) layers.push_back(layer(i));
    LayerConfig ends{.type = "concat", .name = "ends"};
    for (std::size_t i = 0; i < count; ++i) {
      const std::string& name = layers[i].name;
      const auto reads = [&](const LayerConfig& other) { return std::ranges::count(other.inputs, name) > 0; };
      if (std::ranges::none_of(layers, reads)) ends.inputs.push_back(name);
    }
    if (ends.inputs.size() > 1) {
      layers.push_back(ends);
    } else {
      layers.push_back({.type = "tanh", .inputs = ends.inputs});
    }
    layers.push_back({"dense", {{"units", std::int64_t{2}}}, "out"});
    return layers;
  }

 private:
  std::size_t pick(std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_); }
  std::string before(std::size_t index) { return "l" + std::to_string(pick(index)); }

  LayerConfig layer(std::size_t index) {
    const std::vector<std::string> types{"dense",    "tanh", "silu",     "dropout",    "sigmoid",
                                         "softmax",  "add",  "multiply", "layer_norm", "batch_norm",
                                         "softplus", "add",  "flatten"};
    LayerConfig config{.type = types[pick(types.size())], .name = "l" + std::to_string(index)};
    if (config.type == "dense") config.options.set("units", std::int64_t{kWidth});
    if (config.type == "dropout") config.options.set("rate", 0.25);
    config.inputs = {before(index)};
    if (config.type == "add" || config.type == "multiply") {
      do config.inputs.push_back(before(index));  // maybe the same once more
      while (config.inputs.size() < 4 && pick(3) == 0);
    }
    return config;
  }

  std::mt19937 random_;
};

TEST(RandomGraphs, HaveTheGradientsOfCentralDifferences) {
  Graphs graphs(11);
  std::size_t staged = 0;
  for (int round = 0; round < 150; ++round) {
    const SampleNet net(graphs.next(), {"mse"}, 4, 7);
    std::string told;
    for (const LayerConfig& layer : net.config.layers) {
      told += layer.name + " " + layer.type;
      for (const std::string& input : layer.inputs) told += " " + input;
      told += "; ";
    }
    SCOPED_TRACE(told);
    staged += net.model.num_stages() > 1 ? 1U : 0U;
    GradientCheck check(net.config, net.model, *net.loss, net.weights, net.rows(), net.pass());
    EXPECT_NEAR(check.loss() / check.plain_loss(), 1, 1e-5);
    std::vector<ComparedWeight> compared;
    for (const WeightPlace& place : weights_to_check(net.model, 1000, 1)) {
      compared.push_back({place, check.gradient(place), check.central(place)});
    }
    for (const ParameterCheck& of_parameter : check_parameters(compared, check.slope_scale())) {
      // Deep products of norms over few numbers lose some digits of float32.
      EXPECT_LT(of_parameter.largest, 2e-3) << of_parameter.parameter;
    }
  }
  EXPECT_GT(staged, 30U);
}

TEST(RandomGraphs, GiveTheSameOutputsInAnyWorkspace) {
  Graphs graphs(12);
  std::size_t smaller = 0;
  for (int round = 0; round < 150; ++round) {
    const SampleNet net(graphs.next(), {"mse"}, 4, 7);
    const std::size_t rows = net.samples.size();
    Workspace training = net.model.make_workspace(rows, true);
    Workspace scoring = net.model.make_workspace(rows, false);
    const std::size_t again = static_cast<std::size_t>(round) % net.config.layers.size();
    Workspace kept = net.model.make_workspace(rows, {.training = true, .again = again});
    std::vector<std::vector<float>> outputs;
    for (Workspace* workspace : {&training, &scoring, &kept}) {
      std::ranges::copy(net.x, workspace->input(rows).begin());
      const auto found = net.model.forward(Pass{}, net.weights, rows, *workspace);
      outputs.emplace_back(found.begin(), found.end());
    }
    std::ranges::fill(kept.doutputs(rows), 1.0F);
    std::vector<float> gradient(net.weights.size());
    net.model.backward(Pass{}, net.weights, rows, kept, gradient, {});
    const auto once_more = net.model.forward_from(again, Pass{}, net.weights, rows, kept);
    outputs.emplace_back(once_more.begin(), once_more.end());
    for (const auto& found : outputs) EXPECT_EQ(found, outputs.front());
    EXPECT_LE(scoring.bytes(), training.bytes());
    EXPECT_LE(training.bytes(), kept.bytes());
    smaller += scoring.bytes() < training.bytes() ? 1U : 0U;
    EXPECT_EQ(net.model.workspace_bytes(rows, true), training.bytes());
  }
  EXPECT_GT(smaller, 100U);
}

}  // namespace
}  // namespace lockstep
