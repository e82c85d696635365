// The scores of an epoch: what a run's net does on the data that it is not trained on.
#pragma once

#include <optional>
#include <string>

#include "feed/run_data.hpp"
#include "lockstep/log.hpp"
#include "score/epoch_history.hpp"
#include "score/monitor.hpp"
#include "step/engine.hpp"

namespace lockstep {

/// Whether there is anything to score.
[[nodiscard]] bool scores_splits(const RunConfig& run, const RunData& data);

/// Bytes that rank 0 takes, at most, to put samples into order for their scores.
[[nodiscard]] std::size_t ordering_bytes(const ScoreWishes& wishes, const RunData& data, std::size_t outputs);

/// Sets train, validation and test of `scores` as `wishes` has it; they are those of the averaged weights, where the
/// engine keeps an average, and of its threshold.
/// Collective. Allocates.
void score_splits(Engine& engine, const RunData& data, const ScoreWishes& wishes, EpochScores& scores);

/// The same of a state that no epoch of this start has ended with, and the loss of its epoch. Collective. Allocates.
void score_end(Engine& engine, const RunData& data, const ScoreWishes& wishes, EpochScores& scores);

/// What is to be told of something that was done.
struct Told {
  LogLevel level = LogLevel::notice;
  std::string text = {};
};

/// Of a run whose threshold a rule chooses: chooses it on the validation data, for the weights as they are, keeps it in
/// the engine's info, and sets `scores` by it. Returns what came of it. Collective. Allocates.
std::optional<Told> decide(Engine& engine, const RunData& data, const ScoreWishes& wishes, EpochScores& scores);

}  // namespace lockstep
