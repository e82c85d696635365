// A net taken from a checkpoint, to be used without training.
#pragma once

#include <memory>
#include <string>

#include "checkpoint/checkpoint.hpp"
#include "core/buffer.hpp"
#include "data/normalization.hpp"
#include "lockstep/run_config.hpp"
#include "model/loss.hpp"
#include "model/model.hpp"

namespace lockstep {

struct StoredNet {
  std::string path;
  CheckpointInfo info;
  RunConfig run;
  std::unique_ptr<Model> model;
  std::unique_ptr<Loss> loss;
  Buffer<float> weights;
  Normalization normalization;
  double threshold = 0.5;  ///< of a binary net with one output
};

/// The net of a checkpoint. Errors: data, io.
[[nodiscard]] StoredNet read_stored_net(const std::string& path);

/// Sets all but the weights, from path and info. Errors: data.
void build_net(StoredNet& net);

}  // namespace lockstep
