// Scores by class: a table, and a confusion matrix.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "lockstep/scores.hpp"

namespace lockstep::cli {

/// Samples, recall, precision and the most frequent wrong answer of each class; of more than 40 classes those of the
/// lowest recall. Then, up to 40 classes, the confusion matrix. Empty where scores know no classes.
/// `names`: of the classes, as far as they have some.
[[nodiscard]] std::string class_report(const Scores& scores, const std::vector<std::string>& names);

/// A list of {"class", "name", "samples", "recall", "precision"}, all classes; null for what is not defined.
[[nodiscard]] nlohmann::ordered_json class_json(const Scores& scores, const std::vector<std::string>& names);

}  // namespace lockstep::cli
