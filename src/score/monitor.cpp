#include "score/monitor.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "lockstep/error.hpp"

namespace lockstep {

namespace {

// Of "test.auc" the "auc". Names of scores may have a point too: "pinball_q0.1".
std::string_view without_split(std::string_view score) {
  for (const std::string_view split : {"train.", "validation.", "test."}) {
    if (score.starts_with(split)) return score.substr(split.size());
  }
  return score;
}

}  // namespace

std::vector<std::string> score_names(const Loss& loss, std::size_t outputs) {
  const Task task = loss.task();
  std::vector<std::string> names{"loss"};
  if (task == Task::regression) {
    names.insert(names.end(), {"r2", "explained_variance", "rmse", "mae", "mape"});
  } else {
    names.emplace_back("accuracy");
    if (task == Task::classification && outputs > 5) names.emplace_back("top5");
    if (task == Task::classification) names.emplace_back("macro_recall");
    names.emplace_back("precision");
    if (task == Task::binary) names.emplace_back("recall");
    names.emplace_back("f1");
    if (!loss.is_log_loss() && loss.gives_probabilities()) names.emplace_back("log_loss");
  }
  const std::vector<std::string> by_order = order_scores(task);
  names.insert(names.end(), by_order.begin(), by_order.end());
  for (const OwnScore& score : loss.own_scores()) names.push_back(score.name);
  return names;
}

std::vector<std::string> order_scores(Task task) {
  if (task == Task::regression) return {"error_median", "error_p90", "error_p95", "error_max"};
  return {"auc", "average_precision"};
}

bool goes_by_order(std::string_view score) {
  score = without_split(score);
  return score == "auc" || score == "average_precision" || score.starts_with("error_");
}

std::optional<bool> smaller_is_better(std::string_view score, const Loss& loss) {
  score = without_split(score);
  for (const OwnScore& own : loss.own_scores()) {
    if (own.name == score) return own.smaller_is_better;
  }
  constexpr std::string_view kErrors[] = {"loss", "end_loss", "log_loss", "rmse", "mae", "mape"};
  return score.starts_with("error_") || std::ranges::find(kErrors, score) != std::end(kErrors);
}

double history_value(const History& history, std::size_t row, std::string_view column) {
  const auto found = std::ranges::find(history.columns, column);
  if (found == history.columns.end() || row >= history.num_rows()) return std::numeric_limits<double>::quiet_NaN();
  return history.rows[row * history.columns.size() + static_cast<std::size_t>(found - history.columns.begin())];
}

Monitor::Monitor(const std::string& name, const Loss& loss, std::size_t outputs, ScoredSplits splits,
                 std::string_view key)
    : name_(name), key_(key) {
  std::vector<std::string> known{"train.loss"};
  std::string best_split;
  for (const auto& [split, scored] : {std::pair{"test", splits.test}, {"validation", splits.validation}}) {
    if (!scored) continue;
    best_split = split;
    for (const std::string& score : score_names(loss, outputs)) {
      if (smaller_is_better(score, loss)) known.push_back(fmt::format("{}.{}", split, score));
    }
  }
  if (name == "auto") {
    const char* score = loss.task() == Task::regression ? "loss" : "accuracy";
    name_ = best_split.empty() ? "train.loss" : fmt::format("{}.{}", best_split, score);
  }
  if (std::find(known.begin(), known.end(), name_) == known.end()) {
    throw Error(ErrorKind::config,
                fmt::format("{}: expected auto or one of {}, found \"{}\"", key, fmt::join(known, ", "), name));
  }
  larger_is_better_ = !smaller_is_better(name_, loss).value();
}

double Monitor::value(const History& history, std::size_t row) const {
  std::string column = name_;
  if (const std::size_t dot = column.find('.'); dot != std::string::npos) column[dot] = '_';  // the score may have one
  return history_value(history, row, column);
}

bool Monitor::better(double value, std::optional<double> best, double min_delta) const {
  if (std::isnan(value)) return false;
  if (!best) return true;
  return larger_is_better_ ? value > *best + min_delta : value < *best - min_delta;
}

}  // namespace lockstep
