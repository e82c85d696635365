// What a run folder holds for a report: read, not judged.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "config/run_file.hpp"
#include "report/csv.hpp"

namespace lockstep {

struct RunFiles {
  std::string folder = {};
  std::string name = {};            ///< of the run; the folder's where run.toml does not tell
  std::string run = {};             ///< run.toml
  std::vector<KeyValue> keys = {};  ///< of it; empty where it cannot be read
  CsvTable metrics = {};
  CsvTable steps = {};
  CsvTable times = {};
  CsvTable ranks = {};
  // Null where there is no such file, or no good one.
  nlohmann::ordered_json status = {};
  nlohmann::ordered_json summary = {};
  nlohmann::ordered_json scores = {};
  nlohmann::ordered_json importance = {};
  std::vector<std::string> notes = {};  ///< what was left out
};

/// Reads what there is. A run under way, cut off or of an older version lacks some of it.
/// `alive` is called from time to time. Local. Errors: data (no run folder), io.
[[nodiscard]] RunFiles read_run_files(const std::string& folder, const std::function<void()>& alive = {});

}  // namespace lockstep
