// What is scored after every epoch, and the history that it makes.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "feed/run_data.hpp"
#include "lockstep/run_config.hpp"
#include "model/loss.hpp"
#include "score/monitor.hpp"

namespace lockstep {

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

/// The columns of the history of a new run.
[[nodiscard]] std::vector<std::string> history_columns(const ScoreWishes& wishes);
/// Adds the columns to a history that it lacks, not being of a run that wished for them; NaN so far.
void complete_history(const ScoreWishes& wishes, History& history);
/// Ends an epoch in the history of `info`, whose sums are still of that epoch.
void add_history(CheckpointInfo& info, double learning_rate, const EpochScores& scores);

}  // namespace lockstep
