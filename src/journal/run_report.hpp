// What a run leaves for its report beside its tables: status.json, ranks.csv, scores.json; and report.html itself.
//
// None of it steers anything: what cannot be written is told, and the run ends as it would have.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "data/shard_plan.hpp"
#include "feed/run_data.hpp"
#include "journal/run_summary.hpp"
#include "journal/stragglers.hpp"
#include "score/answers.hpp"
#include "step/engine.hpp"

namespace lockstep {

/// How a run stands.
struct RunStatus {
  std::string state = "running";  ///< running, finished, stopped, diverged, or unsaved: at its end or where it stopped
  std::string why = {};           ///< it stopped, diverged, or is not saved
};

/// How a run stood at its end.
struct RunEnd {
  RunStatus status = {};
  const FitSummary* summary = nullptr;  ///< not of a run that diverged
  Position scored = {};                 ///< where the scores of the summary were taken
};

/// What of a run is told.
struct ReportedRun {
  const RunConfig& run;
  const RunData& data;
  Engine& engine;
  EpochPlan epoch;
  std::uint64_t total_steps = 0;
  bool resumed = false;
};

class RunReport {
 public:
  /// Collective. `comm`, `ranks` and what `run` names must outlive it.
  RunReport(const Communicator& comm, std::string folder, const ReportedRun& run, const Stragglers& ranks);

  /// Writes status.json; takes away what an earlier start has left and what is not true any more. Rank 0. Errors: io.
  void begin() const;
  /// Writes status.json where it was deleted; returns what is wrong, if anything. Rank 0.
  [[nodiscard]] std::string make_whole() const;
  /// Writes all files. Collective, but for a run that diverged. Returns what could not be written, on rank 0.
  std::vector<std::string> end(const RunEnd& end);

 private:
  [[nodiscard]] std::string place(const char* name) const { return folder_ + "/" + name; }
  [[nodiscard]] nlohmann::ordered_json status_of(const RunStatus& status, const FitSummary* summary) const;
  void write_ranks() const;
  // Of the test data or, without, of what is held out for validation; unset where there is neither.
  [[nodiscard]] std::optional<Asked> asked() const;
  void write_scores(const RunEnd& end) const;

  const Communicator& comm_;
  std::string folder_;
  ReportedRun run_;
  const Stragglers& ranks_;
  std::string started_;
  nlohmann::ordered_json machine_;
};

}  // namespace lockstep
