// Above which probability a binary net of one output answers 1: as its run file says, or as its run has chosen.
#pragma once

#include <optional>

#include "checkpoint/checkpoint.hpp"
#include "lockstep/run_config.hpp"
#include "model/loss.hpp"
#include "model/ranking.hpp"

namespace lockstep {

/// The threshold of a net: what its run has chosen, else the number of the run file; 0.5 until a rule has chosen.
[[nodiscard]] double threshold_of(const RunConfig& run, const CheckpointInfo& info) noexcept;

/// The rule that is to choose; unset where the run file has a number.
[[nodiscard]] std::optional<ThresholdRule> threshold_rule(const RunConfig& run);

/// Errors: config (another threshold than 0.5 for a net that has none; a rule without validation data).
void check_decision(const RunConfig& run, const Loss& loss, std::size_t outputs);

}  // namespace lockstep
