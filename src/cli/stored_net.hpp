// A net taken from a checkpoint, to be used without training.
#pragma once

#include <memory>
#include <string>

#include "checkpoint/checkpoint.hpp"
#include "checkpoint/retention.hpp"  // checkpoint_file
#include "cli/command.hpp"
#include "comm/communicator.hpp"
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
};

/// The checkpoint named by the command's argument; rank 0 reads.
/// Collective. Errors: usage, data; on every rank.
[[nodiscard]] StoredNet load_net(const Communicator& comm, const CommandInput& input);

/// The same by one process, without MPI: for what does not compute with the net.
/// Errors: usage, data.
[[nodiscard]] StoredNet read_net(const CommandInput& input);

}  // namespace lockstep::cli
