// The data of a run: read, checked against the net, and with its normalisation.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "checkpoint/checkpoint.hpp"
#include "comm/communicator.hpp"
#include "data/dataset.hpp"
#include "data/normalization.hpp"
#include "data/shard_plan.hpp"
#include "lockstep/run_config.hpp"
#include "lockstep/scores.hpp"
#include "model/loss.hpp"

namespace lockstep {

/// The memory of the splits is let go of by all ranks together, see load_dataset.
struct RunData {
  Dataset train;
  std::optional<Dataset> test;
  Normalization normalization;
};

/// Reads both splits, once a host, and fits the normalisation. Paths must be resolved.
/// Collective. Errors, agreed: data, config.
[[nodiscard]] RunData read_run_data(const Communicator& comm, const DataConfig& config, const Loss& loss);

/// Checks `data` against a net of `outputs` outputs: number and range of the targets.
/// Errors: data (targets that do not fit the loss), config (output width unlike the classes or targets).
void check_targets(const Dataset& train, const Dataset* test, const Loss& loss, std::size_t outputs,
                   std::optional<std::int64_t> classes);

/// Sets what `info` of a new run takes from its data: fingerprints, class names, normalisation, and the columns of the
/// history with those of `scores`.
void begin_info(const RunData& data, std::span<const std::string> scores, CheckpointInfo& info);

/// Ends an epoch in the history of `info`, whose sums are still of that epoch.
void add_history(CheckpointInfo& info, double learning_rate, double train_loss, const std::optional<Scores>& test);

/// Steps of a run. Errors: config (more than a run may have).
[[nodiscard]] std::uint64_t count_steps(const EpochPlan& epoch, std::uint64_t epochs);

}  // namespace lockstep
