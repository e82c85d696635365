// A whole run: data, epochs, evaluation, checkpoints and the run folder.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "checkpoint/checkpoint.hpp"
#include "comm/communicator.hpp"
#include "lockstep/log.hpp"
#include "lockstep/run_config.hpp"
#include "lockstep/scores.hpp"
#include "lockstep/trainer.hpp"
#include "train/monitor.hpp"

namespace lockstep {

/// How far a run is, for a progress line.
struct FitProgress {
  std::uint64_t total_steps = 0;
  std::uint64_t epoch = 0;  ///< under way, counts from 1
  std::uint64_t epochs = 0;
  double epoch_loss = 0;          ///< mean over the epoch so far
  double samples_per_second = 0;  ///< of this start
  double seconds_left = 0;        ///< at that speed, of steps alone
  bool last_epoch = false;        ///< the run ends with this one; known at its end
};

/// Told what happens; on rank 0 only.
class FitObserver {
 public:
  virtual ~FitObserver() = default;
  virtual void on_step(const StepResult& /*step*/, const FitProgress& /*progress*/) {}
  virtual void on_epoch(const FitProgress& /*progress*/, const EpochScores& /*scores*/) {}
};

struct FitOptions {
  std::string output;      ///< the run folder
  bool resume = false;     ///< go on from the newest good checkpoint, or start afresh
  bool overwrite = false;  ///< a fresh start may remove the checkpoints in the folder
  bool dry_run = false;    ///< check everything, say what would be done, write nothing
  LogSink log = {};
  FitObserver* observer = nullptr;
  /// Asked before every step, on every rank: whether this rank was told to stop. As soon as one says so, all save and
  /// stop after that step.
  std::function<bool()> stop_wanted = {};
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();  ///< where train.time_limit begins
};

/// What a run came to: the content of summary.json.
struct FitSummary {
  std::uint64_t steps = 0;
  std::uint64_t epochs = 0;
  double seconds = 0;                ///< of steps, over all starts of the run
  double samples_per_second = 0;     ///< of this start, over steps with their input
  double step_seconds = 0;           ///< of this start
  double communication_seconds = 0;  ///< of them, on rank 0: for which steps waited for data of other hosts
  int ranks = 0;
  int nodes = 0;
  std::int64_t shards = 0;
  std::size_t parameters = 0;
  std::string exchange;
  std::string wire;
  bool same_bits_at_any_rank_count = true;
  std::string digest;
  EpochScores scores;  ///< of the last epoch, or of the best where the run ends with its state
  std::optional<Best> best;
  bool stopped_early = false;             ///< by train.early_stop
  std::optional<Restored> restored;       ///< the best checkpoint, where the run ends with its state
  std::optional<Decision> decision = {};  ///< the threshold that the run has chosen
  std::string checkpoint;                 ///< the last one written; rank 0
  double checkpoint_seconds = 0;          ///< of this start: all saves, from the first byte copied to the file in place
  double checkpoint_stall_seconds = 0;    ///< of this start: for which training stood still for them
  bool trained = false;                   ///< false: a dry run, there was nothing left to do, or the run stopped early
  bool stopped = false;                   ///< early, and saved: by stop_wanted or the time limit
  std::string failure;  ///< the run did what it should, but this was lost: the last state, or the summary
};

/// Trains `run` to its end. Data paths must be resolved.
/// Collective. Errors, thrown on every rank: config, data, io, diverged; comm.
FitSummary fit(const Communicator& comm, const RunConfig& run, const FitOptions& options);

}  // namespace lockstep
