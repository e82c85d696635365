// The keys of run files, as completion and manual list them.
#pragma once

#include <string>
#include <vector>

namespace lockstep::cli {

struct RunKey {
  std::string name;      ///< "train.batch"
  std::string type;      ///< "integer"
  std::string fallback;  ///< in TOML, or "unset"
  std::string what;
  bool may_change = false;                ///< on resume
  std::vector<std::string> choices = {};  ///< values that it may have, as far as they can be listed
};

/// All keys, in the order of `train --keys`.
[[nodiscard]] std::vector<RunKey> run_keys();

/// A line for each: name, type, default, meaning and whether it may change on resume, with tabs between.
[[nodiscard]] std::string key_lines();

}  // namespace lockstep::cli
