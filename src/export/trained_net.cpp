#include "export/trained_net.hpp"

namespace lockstep {

std::vector<TrainedLayer> layers_of(const TrainedNet& net) {
  std::vector<TrainedLayer> layers;
  const auto names = net.model.layer_names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const LayerConfig& config = net.run.model.layers[i];
    const auto inputs = net.model.layer_inputs(i);
    TrainedLayer layer{.name = names[i],
                       .type = config.type,
                       .options = config.options,
                       .inputs = {inputs.begin(), inputs.end()},
                       .sizes = {.input = net.model.shape(inputs.front()), .output = net.model.shape(i + 1)},
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
