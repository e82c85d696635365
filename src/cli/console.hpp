// What a person sees of a run: log lines and progress on stderr.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "lockstep/log.hpp"
#include "run/fit_options.hpp"

namespace lockstep::cli {

/// A progress line: on a terminal one that renews itself; elsewhere a line an epoch, at most two a second, and one a
/// minute within long epochs. Never wider than the terminal, where one is known.
/// The environment variable LOCKSTEP_PROGRESS (live, lines, none) overrides what is found: mpirun hides a terminal.
class ConsoleProgress final : public FitObserver {
 public:
  explicit ConsoleProgress(bool quiet);
  ConsoleProgress(const ConsoleProgress&) = delete;
  ConsoleProgress& operator=(const ConsoleProgress&) = delete;
  ~ConsoleProgress() override { clear(); }
  void on_step(const StepResult& step, const FitProgress& progress) override;
  void on_epoch(const FitProgress& progress, const EpochScores& scores) override;
  /// Of work that has no epochs: a live line, nothing elsewhere.
  void on_samples(std::size_t done, std::size_t samples) { on_work(done, samples, "samples"); }
  void on_work(std::size_t done, std::size_t all, const char* what);
  /// Wipes the live line, so that another may be printed in its place.
  void clear();

 private:
  void show(const std::string& line);
  [[nodiscard]] std::size_t width() const;

  enum class Mode { none, lines, live };
  Mode mode_;
  bool shown_ = false;  // a live line stands on the terminal
  std::chrono::steady_clock::time_point last_{};
};

/// Log lines on stderr, "lockstep: ..."; `quiet` holds back all but notices and warnings. `progress` must outlive it.
[[nodiscard]] LogSink console_log(bool quiet, ConsoleProgress& progress);

/// Notices of a command that has no log, on stderr of rank 0.
void tell_notices(const Communicator& comm, const std::vector<std::string>& notices);

/// The live line for a terminal of `width` columns: what does not fit is said shorter, and then left out.
[[nodiscard]] std::string progress_line(std::uint64_t step, const FitProgress& progress, std::size_t width);

/// The line of an epoch, the same: the run folder has all scores.
[[nodiscard]] std::string epoch_line(const FitProgress& progress, const EpochScores& scores, std::size_t width);

/// Prints; a terminal or a log that takes nothing any more is no reason to end.
void print_to_stderr(const std::string& text) noexcept;

/// "3.2 s", "12 min 5 s", "2 h 10 min".
[[nodiscard]] std::string format_seconds(double seconds);

}  // namespace lockstep::cli
