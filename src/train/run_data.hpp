// The data of a run: read, checked against the net, and with its normalisation.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "comm/communicator.hpp"
#include "data/dataset.hpp"
#include "data/normalization.hpp"
#include "data/shard_plan.hpp"
#include "data/split.hpp"
#include "data/stream_plan.hpp"
#include "lockstep/run_config.hpp"
#include "lockstep/scores.hpp"
#include "model/loss.hpp"
#include "train/matched_data.hpp"
#include "train/monitor.hpp"

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

/// What is scored after every epoch.
struct ScoreWishes {
  struct Of {
    std::string split;                ///< train, validation or test
    std::vector<std::string> scores;  ///< by Scores::named(), of train with "end_loss" for the loss
    bool by_order = false;            ///< whether those are among them that go by the order of all samples
  };
  std::vector<Of> splits;
};

/// Scores by the order of all samples are taken of binary nets with one output, of up to kMostOrdered samples, and
/// where a monitor names one of them. Errors: config (scores of training data that is streamed).
inline constexpr std::size_t kMostOrdered = 100'000;
[[nodiscard]] ScoreWishes score_wishes(const RunConfig& run, const RunData& data, const Loss& loss, std::size_t outputs,
                                       std::span<const Monitor> monitors);

/// Sets what `info` of a new run takes from its data: fingerprints, names, normalisation, and the columns of the
/// history with those of `wishes`.
void begin_info(const RunData& data, const ScoreWishes& wishes, CheckpointInfo& info);
/// Adds the columns to a history that it lacks, not being of a run that wished for them; NaN so far.
void complete_history(const ScoreWishes& wishes, History& history);
/// Names of its training data that `info`, of an older version or of data that had none, lacks.
void complete_names(const Dataset& train, CheckpointInfo& info);

/// Ends an epoch in the history of `info`, whose sums are still of that epoch.
void add_history(CheckpointInfo& info, double learning_rate, const EpochScores& scores);

/// Steps of a run. Errors: config (more than a run may have).
[[nodiscard]] std::uint64_t count_steps(const EpochPlan& epoch, std::uint64_t epochs);

}  // namespace lockstep
