#include "train/monitor.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lockstep/error.hpp"

namespace lockstep {
std::vector<std::string> score_names(Task task, std::size_t outputs) {
  switch (task) {
    case Task::regression:
      return {"loss", "r2", "rmse", "mae"};
    case Task::binary:
      return {"loss", "accuracy"};
    case Task::classification:
      break;
  }
  if (outputs > 5) return {"loss", "accuracy", "top5", "macro_recall"};
  return {"loss", "accuracy", "macro_recall"};
}

Monitor::Monitor(const std::string& name, Task task, std::size_t outputs, bool has_test) : name_(name) {
  std::vector<std::string> known{"train.loss"};
  if (has_test) {
    for (const std::string& score : score_names(task, outputs)) known.push_back("test." + score);
  }
  if (name == "auto") {
    const bool scored = has_test && task != Task::regression;
    name_ = scored ? "test.accuracy" : has_test ? "test.loss" : "train.loss";
  }
  if (std::find(known.begin(), known.end(), name_) == known.end()) {
    throw Error(ErrorKind::config, fmt::format("checkpoint.monitor: expected auto or one of {}, found \"{}\"",
                                               fmt::join(known, ", "), name));
  }
  const bool smaller_is_better = name_.ends_with("loss") || name_.ends_with("rmse") || name_.ends_with("mae");
  larger_is_better_ = !smaller_is_better;
}

double Monitor::value(double train_loss, const std::optional<Scores>& test) const {
  if (name_ == "train.loss") return train_loss;
  const std::string score = name_.substr(name_.find('.') + 1);
  if (test) {
    for (const auto& [key, value] : test->named()) {
      if (key == score) return value;
    }
  }
  return std::numeric_limits<double>::quiet_NaN();  // r2 of a constant target
}

bool Monitor::better(double value, std::optional<double> best) const {
  if (std::isnan(value)) return false;
  if (!best) return true;
  return larger_is_better_ ? value > *best : value < *best;
}

}  // namespace lockstep
