// The files of a run folder besides its checkpoints. Rank 0 alone has one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "io/files.hpp"
#include "journal/run_summary.hpp"
#include "journal/stragglers.hpp"
#include "journal/tensorboard.hpp"
#include "lockstep/step_result.hpp"

namespace lockstep {

class RunFolder {
 public:
  explicit RunFolder(std::string folder) : folder_(std::move(folder)) {}

  [[nodiscard]] std::string checkpoints() const { return folder_ + "/checkpoints"; }
  [[nodiscard]] std::string trace() const { return folder_ + "/trace.json"; }

  /// Errors: data, where a pipe or a device stands in the place of one of the files: whoever opens it waits for ever.
  void check_places() const;
  /// Makes the folder, writes run.toml, and brings metrics.csv, steps.csv and times.csv to the state of `info`: rows of
  /// steps that are not done any more go. `tensorboard`: all but the times goes to event files too. Errors: io.
  void open(const std::string& run_toml, const CheckpointInfo& info, bool tensorboard = false);
  /// Appends the last row of `history` to metrics.csv. Returns what is wrong, if anything: the row is kept then, and
  /// written together with a later one.
  std::string add_epoch(const History& history);
  /// Appends a row to steps.csv; the same.
  std::string add_step(const StepResult& step, std::uint64_t epoch, double samples_per_second);
  /// Appends a row to times.csv; the same.
  std::string add_times(const TimesRow& row);
  /// Tries once more to write what could not be written, also run.toml where it was deleted; returns what is wrong, a
  /// text for each file.
  std::vector<std::string> last_rows();
  /// Errors: io.
  void write_summary(const FitSummary& summary) const;

 private:
  std::string folder_;
  std::string run_toml_;
  RowFile metrics_;
  RowFile steps_;
  RowFile times_;
  std::optional<EventFile> events_;
};

/// summary.json as text.
[[nodiscard]] std::string format_summary(const FitSummary& summary);

}  // namespace lockstep
