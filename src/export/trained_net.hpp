// A trained net as the exports see it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "core/parameters.hpp"
#include "data/normalization.hpp"
#include "layers/layer_export.hpp"
#include "lockstep/run_config.hpp"
#include "model/loss.hpp"
#include "model/model.hpp"

namespace lockstep {

/// Views of a net: what they are of lives longer.
struct TrainedNet {
  const RunConfig& run;
  const CheckpointInfo& info;
  const Model& model;
  Task task = Task::regression;
  std::span<const float> weights;  ///< [arena]
  const Normalization& normalization;
};

/// A parameter and its numbers.
struct TrainedTensor {
  const Parameter& parameter;
  std::span<const float> values;
};

/// One layer of a net, in the order in which they are run.
struct TrainedLayer {
  std::string name;  ///< "dense1"
  std::string type;  ///< "dense"
  const Options& options;
  std::vector<std::size_t> inputs;  ///< 0 the net's input, i + 1 the output of layer i
  LayerSizes sizes;
  std::vector<TrainedTensor> tensors;
};

[[nodiscard]] std::vector<TrainedLayer> layers_of(const TrainedNet& net);

/// What the exported net gives: "values" in the targets' own units, "probabilities", or "scores" where a loss gives
/// none.
[[nodiscard]] std::string_view output_kind(const TrainedNet& net);

}  // namespace lockstep
