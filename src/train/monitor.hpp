// The score that says which checkpoint is best.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lockstep/scores.hpp"
#include "model/loss.hpp"

namespace lockstep {

/// Names of the scores that an evaluation of this task gives, in the order of Scores::named().
[[nodiscard]] std::vector<std::string> score_names(Task task, std::size_t outputs);

class Monitor {
 public:
  /// `name`: auto, train.loss, or test. and a score of the task.
  /// Errors: config (unknown, or of another task; test without test data), listing the known ones.
  Monitor(const std::string& name, Task task, std::size_t outputs, bool has_test);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] double value(double train_loss, const std::optional<Scores>& test) const;
  /// Whether `value` is better than the best so far; ties are not, a NaN never is.
  [[nodiscard]] bool better(double value, std::optional<double> best) const;

 private:
  std::string name_;
  bool larger_is_better_ = false;
};

}  // namespace lockstep
