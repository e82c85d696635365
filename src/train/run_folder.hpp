// The files of a run folder besides its checkpoints. Rank 0 alone has one.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>

#include "checkpoint/checkpoint.hpp"
#include "train/fit.hpp"

namespace lockstep {

class RunFolder {
 public:
  explicit RunFolder(std::string folder) : folder_(std::move(folder)) {}

  [[nodiscard]] std::string checkpoints() const { return folder_ + "/checkpoints"; }

  /// Makes the folder, writes run.toml, and brings metrics.csv and steps.csv to the state of `info`: rows of steps that
  /// are not done any more go. Errors: io.
  void open(const std::string& run_toml, const CheckpointInfo& info);
  /// Appends the last row of `history`. Errors: io.
  void add_epoch(const History& history);
  /// Appends a row to steps.csv. Errors: io.
  void add_step(const StepResult& step, std::uint64_t epoch, double samples_per_second);
  /// Errors: io.
  void write_summary(const FitSummary& summary) const;

 private:
  std::string folder_;
  std::ofstream metrics_;
  std::ofstream steps_;
};

/// summary.json as text.
[[nodiscard]] std::string format_summary(const FitSummary& summary);

}  // namespace lockstep
