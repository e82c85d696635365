// When a run has to stop, so that its state is on the disk before its time is over.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

namespace lockstep {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  /// `limit` as train.time_limit has it: "none"; a length from `started` on; or "auto", the end of the batch
  /// job by the environment (LOCKSTEP_JOB_END_TIME of our launch scripts, SLURM_JOB_END_TIME of Slurm), where there is
  /// one. Errors: config (anything else).
  Deadline(const std::string& limit, Clock::time_point started);

  /// Seconds left until then; unset: there is no end.
  [[nodiscard]] std::optional<double> seconds_left() const;
  /// Who set it: "train.time_limit", "Slurm", "the batch system".
  [[nodiscard]] const std::string& source() const noexcept { return source_; }

  /// A line about it; empty: there is no end.
  [[nodiscard]] std::string describe() const;

  /// What the run has been seen to need, the longest of each kind [seconds].
  void saw_step(double seconds) noexcept { step_ = std::max(step_, seconds); }
  void saw_scoring(double seconds) noexcept { scoring_ = std::max(scoring_, seconds); }

  /// Whether the run must stop now in order to have one more step, the scoring behind it (`scores`) and a save, which
  /// takes `save_seconds`, done in time. Saves vary most, so one counts twice.
  [[nodiscard]] bool is_near(double save_seconds, bool scores) const;

 private:
  std::optional<Clock::time_point> end_;
  std::string source_;
  double step_ = 0;
  double scoring_ = 0;
};

}  // namespace lockstep
