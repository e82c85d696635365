// How much each input matters: what evaluate --importance tells and writes.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "score/importance.hpp"

namespace lockstep::cli {

struct Importance {
  ImportanceOptions by;
  double whole = 0;                ///< the score, nothing shuffled
  bool smaller_is_better = false;  ///< of that score
  std::vector<InputImportance> inputs;
};

/// A table; of more than 40 inputs the first 40.
[[nodiscard]] std::string importance_text(const Importance& importance);

/// {"score", "whole", "seed", "repeats", "inputs": [{"input", "columns", "mean", "deviation", "drops"}]}
[[nodiscard]] nlohmann::ordered_json importance_json(const Importance& importance);

/// A row an input: input, columns, mean, deviation, drop_1, ...
[[nodiscard]] std::string importance_csv(const Importance& importance);

}  // namespace lockstep::cli
