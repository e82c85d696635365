// Run files: TOML text to RunConfig and back, overrides, and what may differ on resume.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lockstep/run_config.hpp"

namespace lockstep {

/// Reads a run file's text. `name` is the file's name, for messages. `overrides` are "key=value" texts, applied before
/// anything is checked ("train.batch=64", "model.layers.0.units=8"); a value that is not TOML is taken as text.
/// Errors: config (TOML error with its line; more than 10,000 dots; unknown key, listing the known ones; wrong type;
/// out of range).
[[nodiscard]] RunConfig parse_run(const std::string& text, const std::string& name,
                                  std::span<const std::string> overrides = {});

/// One key as text.
struct KeyValue {
  std::string key;
  std::string value;  ///< as TOML; empty when unset
  bool may_change = false;
};

/// All keys of a run in the order of the documentation; the optimizer's own options behind them.
[[nodiscard]] std::vector<KeyValue> flatten(const RunConfig& run);

/// What "{x = [...], y = ...}" or "[...]" says of data, as data.train takes it; but y may be missing. `name` is for
/// messages. Errors: config.
[[nodiscard]] DataSource parse_source(const std::string& text, const std::string& name);

/// TOML text that parse_run turns back into `run`.
[[nodiscard]] std::string format_run(const RunConfig& run);

/// What a resumed run changes against the run of its checkpoint.
struct RunDifference {
  std::vector<KeyValue> allowed;  ///< may change; value is "old -> new"
  std::vector<KeyValue> forbidden;
};
[[nodiscard]] RunDifference compare_runs(const RunConfig& kept, const RunConfig& now);

/// Turns relative data paths into absolute ones: the first of `folders` that has the file.
/// Errors: data (none has it), naming all places looked at. But a missing model.initial stays as it is: who resumes
/// needs none.
void resolve_paths(RunConfig& run, std::span<const std::string> folders);

/// A line per key: key, type, default, what it does; separated by tabs.
[[nodiscard]] std::string describe_keys();

}  // namespace lockstep
