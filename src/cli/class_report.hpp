// Scores by class: a table, and a confusion matrix; scores by target.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "lockstep/scores.hpp"

namespace lockstep::cli {

/// Samples, recall, precision, F1 and the most frequent wrong answer of each class; of more than 40 classes those of
/// the lowest recall. Then, up to 40 classes, the confusion matrix. Empty where scores know no classes. `names`: of the
/// classes, as far as they have some.
[[nodiscard]] std::string class_report(const Scores& scores, const std::vector<std::string>& names);

/// A list of {"class", "name", "samples", "recall", "precision", "f1"}, all classes; null for what is not defined.
[[nodiscard]] nlohmann::ordered_json class_json(const Scores& scores, const std::vector<std::string>& names);

/// A row a target of a regression of several; empty of others. `names`: of the targets, as far as they have some.
[[nodiscard]] std::string target_report(const Scores& scores, const std::vector<std::string>& names);

/// A list of {"target", "name"} and the scores that there are, all targets.
[[nodiscard]] nlohmann::ordered_json target_json(const Scores& scores, const std::vector<std::string>& names);

}  // namespace lockstep::cli
