// Nets of every layer and loss, with weights and samples, for tests of explain.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "explain/plain_net.hpp"
#include "layers/layer_table.hpp"
#include "model/loss.hpp"
#include "model/model.hpp"

namespace lockstep {

inline constexpr int kOutputs = 6;  // some losses take two or three a target

/// A layer of each type that stands in a chain whose chain rule is told path by path, by all its examples.
inline std::vector<LayerConfig> chain_layers() {
  std::vector<LayerConfig> layers;
  for (const LayerType& type : layer_table()) {
    for (const LayerExample& example : type.examples) {
      const LayerConfig layer{std::string(type.info.name), example.options};
      const bool flat = example.inputs.size() == 1 && example.inputs.front().dims() == 1 && type.info.name != "reshape";
      if (flat && make_plain_layer(layer.type, layer.options)->has_slopes()) layers.push_back(layer);
    }
  }
  return layers;
}

/// All losses, with options, for nets of kOutputs outputs.
inline std::vector<Component> all_losses() {
  std::vector<Component> losses;
  const std::vector<double> weights{0.5, 1.5, 0.25, 1, 2, 0.75};
  for (const std::string_view name : loss_names()) losses.push_back({std::string(name)});
  losses.push_back({"huber", {{"delta", 0.4}}});
  losses.push_back({"binary_cross_entropy", {{"pos_weight", 1.5}}});
  losses.push_back({"binary_cross_entropy", {{"pos_weight", weights}}});
  losses.push_back({"softmax_cross_entropy", {{"label_smoothing", 0.2}}});
  losses.push_back({"softmax_cross_entropy", {{"class_weights", weights}}});
  losses.push_back({"softmax_cross_entropy", {{"class_weights", weights}, {"label_smoothing", 0.2}}});
  return losses;
}

/// A net with starting weights and random samples: labels in turn, values from 0 to 1.
struct SampleNet {
  SampleNet(std::vector<LayerConfig> layers, const Component& loss_config, std::size_t inputs, std::size_t rows)
      : config{loss_config, std::move(layers), {}, {}},
        model(config, inputs),
        loss(make_loss(loss_config)),
        weights(model.parameters().arena_size()),
        x(rows * inputs),
        values(rows * loss->num_targets(model.outputs())) {
    model.initialize(5, weights);
    fill_uniform({2, RandomPurpose::bench, 1}, -1, 1, x);
    fill_uniform({2, RandomPurpose::bench, 2}, 0, 1, values);
    for (std::size_t row = 0; row < rows; ++row) {
      samples.push_back(static_cast<std::uint32_t>(10 + row));
      labels.push_back(static_cast<std::int32_t>(row % model.outputs()));
    }
  }

  [[nodiscard]] SampleRows rows() const {
    const bool takes_labels = loss->targets() == TargetKind::labels;
    return {x, takes_labels ? Targets{labels, {}} : Targets{{}, values}, samples};
  }
  [[nodiscard]] Pass pass() const { return {true, 7, 3, samples}; }
  [[nodiscard]] static PlainPass plain_pass() { return {7, 3, 0, 0}; }

  ModelConfig config;
  Model model;
  std::unique_ptr<Loss> loss;
  std::vector<float> weights, x, values;
  std::vector<std::int32_t> labels;
  std::vector<std::uint32_t> samples;
};

}  // namespace lockstep
