#include "export/trained_net.hpp"

namespace lockstep {

std::vector<TrainedLayer> layers_of(const TrainedNet& net) {
  std::vector<TrainedLayer> layers;
  const auto names = net.model.layer_names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const LayerConfig& config = net.run.model.layers[i];
    TrainedLayer layer{
        .name = names[i],
        .type = config.type,
        .options = config.options,
        .sizes = {.inputs = i == 0 ? net.model.inputs() : net.model.width(i - 1), .outputs = net.model.width(i)},
        .tensors = {}};
    for (const Parameter& parameter : net.model.parameters().entries()) {
      if (parameter.layer != layer.name) continue;
      layer.tensors.push_back({parameter, net.weights.subspan(parameter.range.begin, parameter.range.size())});
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

std::string_view output_kind(const TrainedNet& net) {
  if (net.task == Task::regression) return "values";
  return make_loss(net.run.model.loss)->gives_probabilities() ? "probabilities" : "scores";
}

}  // namespace lockstep
