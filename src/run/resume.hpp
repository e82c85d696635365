// Finding the checkpoint to go on from, and what a resumed run may change.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "comm/communicator.hpp"
#include "compute/compute.hpp"
#include "data/dataset.hpp"
#include "lockstep/log.hpp"
#include "lockstep/run_config.hpp"
#include "step/engine.hpp"

namespace lockstep {

/// The newest checkpoint of a folder that verifies and belongs to the run.
struct FoundCheckpoint {
  std::optional<Checkpoint> checkpoint;
  std::string path;
  std::vector<std::string> skipped;  ///< one text for each newer one that does not, with the reason
};

/// `alive` is called from time to time.
/// Local. Errors: io (the folder cannot be read); config (there is none to go on from, and at least one that verifies
/// is of another run: what the newest of these says of `run`, see check_resumable).
[[nodiscard]] FoundCheckpoint find_newest_good(const std::string& folder, const RunConfig& run,
                                               const std::function<void()>& alive = {});

/// Takes weights, optimizer state and average of the best checkpoint, which is in `folder`; everything else stays as it
/// is, and info.restored says so. Nothing is changed unless all of it is right.
/// Collective; rank 0 reads. Errors, agreed: data, io, config (it is damaged, gone, or of another run).
void restore_best(Engine& engine, const std::string& folder);

/// Checks that `now` may go on from the checkpoint `kept`, and says what it changes.
/// What `now` leaves open becomes the checkpoint's: shards, learning rate, data.load = "auto", data.block; so do
/// model.initial, and class_weights = "balanced", which the caller has to compare with the labels.
/// Errors: config, naming every key that differs and must not.
void check_resumable(const CheckpointInfo& kept, RunConfig& now, const std::string& path,
                     std::vector<std::string>& notices);

/// Warnings where this machine computes other bits than that of the checkpoint, or, of older checkpoints, may do so:
/// its BLAS kernel or SIMD target has another name. Errors: io (as Compute::prepare).
[[nodiscard]] std::vector<std::string> machine_differences(const CheckpointInfo& kept, const Compute& compute);

/// Errors: data, naming the key whose data is not what the run was started on. `test` is null where there is none.
void check_same_fingerprints(const CheckpointInfo& kept, const Dataset& train, const Dataset* test);

}  // namespace lockstep
