#include "export/layer_nodes.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "layers/layer_table.hpp"

namespace lockstep {
namespace {

/// Names what a layer adds: "gelu1/mul", "gelu1/mul2".
class LayerNodes final : public OnnxNodes {
 public:
  LayerNodes(OnnxGraph& graph, const TrainedLayer& layer, const std::vector<std::string>& inputs)
      : graph_(graph), layer_(layer), inputs_(inputs) {}

  std::string node(std::string_view type, std::vector<std::string> inputs, std::vector<Attribute> attributes) override {
    return graph_.node(new_name(type), type, std::move(inputs), std::move(attributes));
  }
  std::string scalar(float value) override { return graph_.scalar(new_name("constant"), value); }
  std::string vector(std::span<const float> values) override {
    const std::size_t shape[] = {values.size()};
    return graph_.constant(new_name("constant"), shape, values);
  }
  std::string matrix(std::span<const float> values, std::size_t columns) override {
    const std::size_t shape[] = {values.size() / columns, columns};
    return graph_.constant(new_name("constant"), shape, values);
  }
  std::string integers(std::span<const std::int64_t> values) override {
    return graph_.integers(new_name("constant"), values);
  }
  std::vector<std::span<const float>> values() override {
    std::vector<std::span<const float>> values;
    for (const TrainedTensor& tensor : layer_.tensors) values.push_back(tensor.values);
    return values;
  }
  std::vector<std::string> inputs() override { return inputs_; }
  LayerSizes sizes() override { return layer_.sizes; }
  std::vector<std::string> tensors() override {
    std::vector<std::string> names;
    for (const auto& [parameter, values] : layer_.tensors) {
      names.push_back(graph_.constant(layer_.name + "/" + parameter.name, parameter.shape, values));
    }
    return names;
  }

 private:
  std::string new_name(std::string_view what) {
    std::string word(what);
    std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const std::size_t count = ++counts_[word];
    return layer_.name + "/" + word + (count == 1 ? "" : std::to_string(count));
  }

  OnnxGraph& graph_;
  const TrainedLayer& layer_;
  const std::vector<std::string>& inputs_;
  std::map<std::string, std::size_t> counts_;
};

}  // namespace

std::string add_layer(OnnxGraph& graph, const TrainedLayer& layer, const std::vector<std::string>& inputs) {
  const LayerType& type = find_layer(layer.type);
  LayerNodes nodes(graph, layer, inputs);
  const std::string end = type.onnx(nodes, complete(type.info, layer.options), inputs.front());
  return end == inputs.front() ? end : graph.rename_last(layer.name);
}

nlohmann::ordered_json torch_module(const TrainedLayer& layer) {
  const LayerType& type = find_layer(layer.type);
  const TorchModule module = type.torch(layer.sizes, complete(type.info, layer.options));
  nlohmann::ordered_json arguments = nlohmann::ordered_json::object();
  for (const auto& [name, value] : module.arguments) {
    std::visit([&, key = std::string(name)](const auto& number) { arguments[key] = number; }, value.get());
  }
  return nlohmann::ordered_json::array({module.name, arguments});
}

}  // namespace lockstep
