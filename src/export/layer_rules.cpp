#include "export/layer_rules.hpp"

#include <fmt/format.h>

#include <numbers>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

// y = x W^T + b.  W [out,in] is a Gemm's B, transposed.
std::string add_dense(OnnxGraph& graph, const TrainedLayer& layer, const std::string& x) {
  std::vector<std::string> inputs{x};
  for (const auto& [parameter, values] : layer.tensors) {
    inputs.push_back(graph.constant(layer.name + "/" + parameter.name, parameter.shape, values));
  }
  return graph.node(layer.name, "Gemm", std::move(inputs), {{"transB", std::int64_t{1}}});
}

TorchModule torch_dense(const TrainedLayer& layer) {
  const auto& shape = layer.tensors.front().parameter.shape;
  return {"Linear", {{"in_features", shape[1]}, {"out_features", shape[0]}, {"bias", layer.tensors.size() == 2}}};
}

std::string add_relu(OnnxGraph& graph, const TrainedLayer& layer, const std::string& x) {
  return graph.node(layer.name, "Relu", {x});
}

double slope_of(const TrainedLayer& layer) {
  return layer.options.number("negative_slope", 0.01);
}

std::string add_leaky_relu(OnnxGraph& graph, const TrainedLayer& layer, const std::string& x) {
  return graph.node(layer.name, "LeakyRelu", {x}, {{"alpha", static_cast<float>(slope_of(layer))}});
}

TorchModule torch_leaky_relu(const TrainedLayer& layer) {
  return {"LeakyReLU", {{"negative_slope", slope_of(layer)}}};
}

std::string gelu_form(const TrainedLayer& layer) {
  return layer.options.text("approximate", "none");
}

// A later opset has a Gelu; these are known to every runtime. Formulas: layers/gelu.cpp.
std::string add_gelu(OnnxGraph& graph, const TrainedLayer& layer, const std::string& x) {
  const auto name = [&](const char* part) { return layer.name + "/" + part; };
  constexpr float kSqrt2 = std::numbers::sqrt2_v<float>;
  std::string phi;  // 2 Phi(x) - 1
  if (gelu_form(layer) == "tanh") {
    const auto square = graph.node(name("square"), "Mul", {x, x});
    const auto cube = graph.node(name("cube"), "Mul", {square, x});
    const auto part = graph.node(name("cubic"), "Mul", {cube, graph.scalar(name("cubic_factor"), 0.044715F)});
    const auto sum = graph.node(name("sum"), "Add", {x, part});
    const auto factor = graph.scalar(name("inner_factor"), kSqrt2 * std::numbers::inv_sqrtpi_v<float>);
    phi = graph.node(name("tanh"), "Tanh", {graph.node(name("inner"), "Mul", {sum, factor})});
  } else {
    const auto inner = graph.node(name("inner"), "Mul", {x, graph.scalar(name("inner_factor"), 1.0F / kSqrt2)});
    phi = graph.node(name("erf"), "Erf", {inner});
  }
  const auto twice = graph.node(name("phi"), "Add", {phi, graph.scalar(name("one"), 1.0F)});
  const auto half = graph.node(name("half_x"), "Mul", {x, graph.scalar(name("half"), 0.5F)});
  return graph.node(layer.name, "Mul", {half, twice});
}

TorchModule torch_gelu(const TrainedLayer& layer) {
  return {"GELU", {{"approximate", gelu_form(layer)}}};
}

std::string add_tanh(OnnxGraph& graph, const TrainedLayer& layer, const std::string& x) {
  return graph.node(layer.name, "Tanh", {x});
}

std::string add_sigmoid(OnnxGraph& graph, const TrainedLayer& layer, const std::string& x) {
  return graph.node(layer.name, "Sigmoid", {x});
}

std::string add_nothing(OnnxGraph& /*graph*/, const TrainedLayer& /*layer*/, const std::string& x) {
  return x;
}

TorchModule torch_dropout(const TrainedLayer& layer) {
  return {"Dropout", {{"p", layer.options.number("rate", 0.5)}}};
}

constexpr LayerRule kRules[] = {
    {"dense", add_dense, torch_dense},
    {"relu", add_relu,
     [](const TrainedLayer&) {
       return TorchModule{"ReLU", Json::object()};
     }},
    {"leaky_relu", add_leaky_relu, torch_leaky_relu},
    {"gelu", add_gelu, torch_gelu},
    {"tanh", add_tanh,
     [](const TrainedLayer&) {
       return TorchModule{"Tanh", Json::object()};
     }},
    {"sigmoid", add_sigmoid,
     [](const TrainedLayer&) {
       return TorchModule{"Sigmoid", Json::object()};
     }},
    {"dropout", add_nothing, torch_dropout},
};

}  // namespace

std::span<const LayerRule> layer_rules() {
  return kRules;
}

const LayerRule& rule_of(std::string_view type) {
  for (const LayerRule& rule : kRules) {
    if (rule.type == type) return rule;
  }
  throw Error(ErrorKind::internal, fmt::format("export knows no layer of type \"{}\"", type));
}

}  // namespace lockstep
