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
#include "data/split.hpp"
#include "lockstep/run_config.hpp"
#include "lockstep/scores.hpp"
#include "model/loss.hpp"
#include "train/monitor.hpp"

namespace lockstep {

/// The memory of the splits is let go of by all ranks together, see load_dataset.
struct RunData {
  Dataset train;  ///< with the rows that are held out
  Split split;    ///< of them
  std::optional<Dataset> test;
  Normalization normalization;

  /// How many samples are trained on.
  [[nodiscard]] std::size_t train_samples() const noexcept {
    return split.train.empty() ? train.samples() : split.train.size();
  }
};

/// Reads both splits, once a host, holds out what is to validate with, and fits the normalisation to the rest. Paths
/// must be resolved.
/// Collective. Errors, agreed: data, config.
[[nodiscard]] RunData read_run_data(const Communicator& comm, const DataConfig& config, std::uint64_t seed,
                                    const Loss& loss);

/// The rows of its training data that a run was trained on, and those that it held out: of `data`, which is to be that
/// training data. `kept` is of a checkpoint of `run`.
/// Errors: data (it is not), config.
[[nodiscard]] Split split_of_run(const RunConfig& run, const CheckpointInfo& kept, const Dataset& data);

/// Checks `data` against a net of `outputs` outputs: number and range of the targets, and that some have weight.
/// Errors: data (targets that do not fit the loss), config (output width unlike the classes or targets; class weights
/// that leave nothing of a split).
void check_targets(const Dataset& train, const Dataset* test, const Loss& loss, std::size_t outputs,
                   std::optional<std::int64_t> classes);

/// Weights of 0 may be meant for some classes, but a mean over nothing is none. `rows`: of `data`; empty: all.
/// Errors: config (all of them are of classes with weight 0).
void check_some_weight(const Dataset& data, const Loss& loss, RowList rows);

/// Sets what `info` of a new run takes from its data: fingerprints, class names, normalisation, and the columns of the
/// history with those of `scores`.
void begin_info(const RunData& data, std::span<const std::string> scores, CheckpointInfo& info);

/// Ends an epoch in the history of `info`, whose sums are still of that epoch.
void add_history(CheckpointInfo& info, double learning_rate, const EpochScores& scores);

/// Steps of a run. Errors: config (more than a run may have).
[[nodiscard]] std::uint64_t count_steps(const EpochPlan& epoch, std::uint64_t epochs);

}  // namespace lockstep
