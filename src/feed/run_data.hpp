// The data of a run: read, checked against the net, and with its normalisation.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "comm/communicator.hpp"
#include "data/dataset.hpp"
#include "data/normalization.hpp"
#include "data/shard_plan.hpp"
#include "data/split.hpp"
#include "data/stream_plan.hpp"
#include "feed/matched_data.hpp"
#include "lockstep/run_config.hpp"
#include "model/loss.hpp"

namespace lockstep {

/// The memory of the splits is let go of by all ranks together, see load_dataset.
struct RunData {
  Dataset train;  ///< with the rows that are held out
  Split split;    ///< of them
  std::optional<Dataset> test;
  Normalization normalization;
  TargetRule rule = {};                   ///< what y must hold
  std::optional<StreamPlan> stream = {};  ///< of the training data, where it is streamed
  KnownNames names = {};                  ///< of the training data, as it is trained on
  std::vector<std::string> notices = {};  ///< of how names were matched, and of weights and missing targets

  /// How many samples are trained on.
  [[nodiscard]] std::size_t train_samples() const noexcept {
    return split.train.empty() ? train.samples() : split.train.size();
  }
};

/// Reads both splits, once a host, or passes over them where they are streamed, holds out what is to validate with, and
/// fits the normalisation to the rest. Training data is matched by names to `known`, of the checkpoint that is gone on
/// from, and test data to the training data. Paths and load must be resolved. `tell`: of rank 0, for what takes long.
/// Collective. Errors, agreed: data, config.
[[nodiscard]] RunData read_run_data(const Communicator& comm, const RunConfig& run, const Loss& loss,
                                    const std::function<void(const std::string&)>& tell = {},
                                    const KnownNames& known = {});

/// Opened data to be scored by a net of `outputs` outputs whose run says `config`: in memory, or streamed where the
/// run's data is, or where it is larger than data.memory_limit and can be. The scores are the same. Collective. Errors,
/// agreed: data, config.
[[nodiscard]] Dataset read_scored_data(const Communicator& comm, OpenDataset file, const DataConfig& config,
                                       const Loss& loss, std::size_t outputs);

/// The rows of its training data that a run was trained on, and those that it held out: of `data`, which is to be that
/// training data. `kept` is of a checkpoint of `run`.
/// Errors: data (it is not), config.
[[nodiscard]] Split split_of_run(const RunConfig& run, const CheckpointInfo& kept, const Dataset& data);

/// What y must hold for a loss of values.
[[nodiscard]] TargetRule value_rule(const Loss& loss);

/// Checks `data` against a net of `outputs` outputs: number and range of the targets, and that some have weight.
/// Errors: data (targets that do not fit the loss), config (output width unlike the classes or targets; class weights
/// that leave nothing of a split).
void check_targets(const Dataset& train, const Dataset* test, const Loss& loss, std::size_t outputs,
                   std::optional<std::int64_t> classes);

/// Weights of 0 may be meant for some classes or samples, and targets may be missing, but a mean over nothing is none.
/// `rows`: of `data`; empty: all. `what` they are, one of them, for messages. Errors: config (all of them are of
/// classes with weight 0), data (their weights, times the share of targets that are there, sum up to 0 or less).
void check_some_weight(const Dataset& data, const Loss& loss, RowList rows, const char* what = "sample");

/// Sets what `info` of a new run takes from its data: fingerprints, names, normalisation.
void begin_info(const RunData& data, CheckpointInfo& info);
/// Names of its training data that `info`, of an older version or of data that had none, lacks.
void complete_names(const Dataset& train, CheckpointInfo& info);

/// Steps of a run. Errors: config (more than a run may have).
[[nodiscard]] std::uint64_t count_steps(const EpochPlan& epoch, std::uint64_t epochs);

}  // namespace lockstep
