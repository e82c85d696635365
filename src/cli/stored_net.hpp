// A net taken from a checkpoint, to be used without training.
#pragma once

#include <memory>
#include <string>

#include "checkpoint/checkpoint.hpp"
#include "checkpoint/retention.hpp"  // checkpoint_file
#include "cli/command.hpp"
#include "core/buffer.hpp"
#include "data/normalization.hpp"
#include "lockstep/run_config.hpp"
#include "model/loss.hpp"
#include "model/model.hpp"

namespace lockstep::cli {

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

/// The checkpoint named by the command's argument, read by one process.
/// Errors: usage, data.
[[nodiscard]] StoredNet read_net(const CommandInput& input);

// Of read_net and of shared_net.hpp: the path of that checkpoint, and all but the weights, from path and info.
[[nodiscard]] std::string chosen_checkpoint(const CommandInput& input);
void build_net(StoredNet& net);

}  // namespace lockstep::cli
