// What a person sees of a run: log lines and progress on stderr.
#pragma once

#include <chrono>
#include <string>

#include "lockstep/log.hpp"
#include "train/fit.hpp"

namespace lockstep::cli {

/// Log lines on stderr, "lockstep: ..."; `quiet` holds back all but notices and warnings.
[[nodiscard]] LogSink console_log(bool quiet);

/// A progress line: on a terminal one that renews itself, elsewhere a line an epoch (at most two a second).
/// The environment variable LOCKSTEP_PROGRESS (live, lines, none) overrides what is found: mpirun hides a terminal.
class ConsoleProgress final : public FitObserver {
 public:
  explicit ConsoleProgress(bool quiet);
  void on_step(const StepResult& step, const FitProgress& progress) override;
  void on_epoch(const FitProgress& progress, const EpochScores& scores) override;

 private:
  enum class Mode { none, lines, live };
  Mode mode_;
  std::chrono::steady_clock::time_point last_{};
};

/// Prints; a terminal or a log that takes nothing any more is no reason to end.
void print_to_stderr(const std::string& text) noexcept;

/// "3.2 s", "12 min 5 s", "2 h 10 min".
[[nodiscard]] std::string format_seconds(double seconds);

}  // namespace lockstep::cli
