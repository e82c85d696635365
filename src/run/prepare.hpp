// What happens before a run's first step: folder, data and net checked, and the state to start from.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "checkpoint/checkpoint.hpp"
#include "comm/communicator.hpp"
#include "data/shard_plan.hpp"
#include "feed/run_data.hpp"
#include "lockstep/run_config.hpp"
#include "run/deadline.hpp"
#include "run/fit_options.hpp"
#include "run/steering.hpp"
#include "score/epoch_history.hpp"
#include "step/engine.hpp"

namespace lockstep {

/// A run that is ready for its next step. Everything is set once prepare_run has returned; of a dry run all but the
/// engine, which takes memory.
struct PreparedRun {
  RunConfig run;           ///< resolved
  bool resumed = false;    ///< from a checkpoint
  bool decides = false;    ///< ... that has ended, but by another decision.threshold
  std::string resumed_in;  ///< its path; rank 0
  RunData data;            ///< let go of by all ranks at once
  ScoreWishes wishes;      ///< what is scored after every epoch
  EpochPlan epoch;
  std::uint64_t total_steps = 0;
  std::optional<Steering> steering;
  std::unique_ptr<Engine> engine;  ///< holds the state to start from
  CheckpointInfo planned;          ///< what the engine starts from, until there is one
  std::optional<Deadline> deadline;

  [[nodiscard]] CheckpointInfo& info() { return engine ? engine->info : planned; }
  [[nodiscard]] bool finished() const { return steering->finished(engine ? engine->info.position : planned.position); }
};

/// Why a fresh start into `folder` is refused.
[[nodiscard]] std::string holds_checkpoints(const std::string& folder);

/// Checks all that can be wrong with run, data, net and the checkpoint to go on from, and tells of the run to
/// `options.log`; writes nothing. `checkpoints` is the folder of the run's checkpoints; empty: it makes none.
/// Collective. Errors, agreed: config, data, io; comm.
[[nodiscard]] PreparedRun prepare_run(const Communicator& comm, const RunConfig& run, const FitOptions& options,
                                      const std::string& checkpoints);

}  // namespace lockstep
