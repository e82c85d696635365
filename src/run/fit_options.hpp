// What a run is asked for besides its run file, and whom it tells how far it is.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "lockstep/log.hpp"
#include "lockstep/step_result.hpp"
#include "score/monitor.hpp"

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

}  // namespace lockstep
