// How each type of layer is said in ONNX and in PyTorch. One row a type of layers/layer_table.cpp.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "export/onnx_graph.hpp"
#include "export/trained_net.hpp"

namespace lockstep {

/// A class of torch.nn and the arguments that make the layer.
struct TorchModule {
  std::string_view name;
  nlohmann::ordered_json arguments;
};

struct LayerRule {
  std::string_view type;
  /// Adds the layer as it is when not training, behind `x`; returns what it ends in. Names begin with the layer's.
  std::string (*add_nodes)(OnnxGraph& graph, const TrainedLayer& layer, const std::string& x);
  TorchModule (*torch_module)(const TrainedLayer& layer);
};

[[nodiscard]] std::span<const LayerRule> layer_rules();

/// Errors: internal (a type without a rule).
[[nodiscard]] const LayerRule& rule_of(std::string_view type);

}  // namespace lockstep
