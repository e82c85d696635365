// The scores of an epoch: what a run's net does on the data that it is not trained on.
#pragma once

#include "train/engine.hpp"
#include "train/monitor.hpp"
#include "train/run_data.hpp"

namespace lockstep {

/// Whether there is anything to score.
[[nodiscard]] bool scores_splits(const RunData& data);

/// Sets validation and test of `scores`; they are those of the averaged weights, where the engine keeps an average.
/// Collective. Allocates.
void score_splits(Engine& engine, const RunData& data, EpochScores& scores);

}  // namespace lockstep
