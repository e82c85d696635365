#include "train/monitor.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

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

bool smaller_is_better(std::string_view score) {
  score.remove_prefix(score.find('.') == std::string_view::npos ? 0 : score.find('.') + 1);
  constexpr std::string_view kErrors[] = {"loss", "log_loss", "rmse", "mae", "mape"};
  return score.starts_with("error_") || std::ranges::find(kErrors, score) != std::end(kErrors);
}

double history_value(const History& history, std::size_t row, std::string_view column) {
  const auto found = std::ranges::find(history.columns, column);
  if (found == history.columns.end() || row >= history.num_rows()) return std::numeric_limits<double>::quiet_NaN();
  return history.rows[row * history.columns.size() + static_cast<std::size_t>(found - history.columns.begin())];
}

Monitor::Monitor(const std::string& name, Task task, std::size_t outputs, ScoredSplits splits, std::string_view key)
    : name_(name), key_(key) {
  std::vector<std::string> known{"train.loss"};
  std::string best_split;
  for (const auto& [split, scored] : {std::pair{"test", splits.test}, {"validation", splits.validation}}) {
    if (!scored) continue;
    best_split = split;
    for (const std::string& score : score_names(task, outputs)) known.push_back(fmt::format("{}.{}", split, score));
  }
  if (name == "auto") {
    const char* score = task == Task::regression ? "loss" : "accuracy";
    name_ = best_split.empty() ? "train.loss" : fmt::format("{}.{}", best_split, score);
  }
  if (std::find(known.begin(), known.end(), name_) == known.end()) {
    throw Error(ErrorKind::config,
                fmt::format("{}: expected auto or one of {}, found \"{}\"", key, fmt::join(known, ", "), name));
  }
  larger_is_better_ = !smaller_is_better(name_);
}

double Monitor::value(const History& history, std::size_t row) const {
  std::string column = name_;
  std::ranges::replace(column, '.', '_');
  return history_value(history, row, column);
}

bool Monitor::better(double value, std::optional<double> best, double min_delta) const {
  if (std::isnan(value)) return false;
  if (!best) return true;
  return larger_is_better_ ? value > *best + min_delta : value < *best - min_delta;
}

}  // namespace lockstep
