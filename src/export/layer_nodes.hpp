// A layer of a net, as its row of layers/layer_table.cpp says it in ONNX and in PyTorch.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "export/onnx_graph.hpp"
#include "export/trained_net.hpp"

namespace lockstep {

/// Adds the layer behind `inputs`; returns what it ends in: a node with the layer's name, or its input. What else it
/// adds has names that begin with the layer's.
std::string add_layer(OnnxGraph& graph, const TrainedLayer& layer, const std::vector<std::string>& inputs);

/// ["Linear", {"in_features": 4, ...}]: the class of torch.nn and its arguments.
[[nodiscard]] nlohmann::ordered_json torch_module(const TrainedLayer& layer);

}  // namespace lockstep
