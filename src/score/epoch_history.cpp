#include "score/epoch_history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "lockstep/error.hpp"

namespace lockstep {

std::vector<std::string> history_columns(const ScoreWishes& wishes) {
  std::vector<std::string> columns{"epoch", "step", "learning_rate", "train_loss"};
  for (const ScoreWishes::Of& of : wishes.splits) {
    for (const std::string& score : of.scores) columns.push_back(fmt::format("{}_{}", of.split, score));
  }
  columns.insert(columns.end(), {"seconds", "samples_per_second"});
  return columns;
}

ScoreWishes score_wishes(const RunConfig& run, const RunData& data, const Loss& loss, std::size_t outputs,
                         std::span<const Monitor> monitors) {
  ScoreWishes wishes;
  const auto add = [&](const std::string& split, std::size_t samples) {
    const auto names_one = [&](const Monitor& monitor) {
      return monitor.name().starts_with(split + ".") && goes_by_order(monitor.name());
    };
    const bool cheap = loss.task() == Task::binary && outputs == 1 && samples <= kMostOrdered;
    ScoreWishes::Of& of = wishes.splits.emplace_back();
    of.split = split;
    of.by_order = cheap || std::ranges::any_of(monitors, names_one);
    for (const std::string& name : score_names(loss, outputs)) {
      if (of.by_order || !goes_by_order(name)) of.scores.push_back(name);
    }
    if (split == "train") of.scores.front() = "end_loss";  // train_loss is the mean over the epoch
  };
  if (run.log.train_scores) {
    if (data.train.streamed()) {
      throw Error(ErrorKind::config,
                  "log.train_scores: training data that is streamed is not scored after every epoch; evaluate --split "
                  "train does it once");
    }
    add("train", data.train_samples());
  }
  if (!data.split.validation.empty()) add("validation", data.split.validation.size());
  if (data.test) add("test", data.test->samples());
  return wishes;
}

void complete_history(const ScoreWishes& wishes, History& history) {
  std::vector<std::string> columns = history_columns(wishes);
  for (const std::string& column : history.columns) {  // of an older version, or of another wish
    if (std::ranges::find(columns, column) == columns.end()) columns.push_back(column);
  }
  if (std::ranges::all_of(columns,
                          [&](const auto& column) { return std::ranges::count(history.columns, column) != 0; })) {
    return;
  }
  History completed{.columns = std::move(columns), .rows = {}};
  for (std::size_t row = 0; row < history.num_rows(); ++row) {
    for (const std::string& column : completed.columns) {
      completed.rows.push_back(history_value(history, row, column));
    }
  }
  history = std::move(completed);
}

void add_history(CheckpointInfo& info, double learning_rate, const EpochScores& scores) {
  std::map<std::string, double> row{{"epoch", static_cast<double>(info.position.epoch)},
                                    {"step", static_cast<double>(info.position.step)},
                                    {"learning_rate", learning_rate},
                                    {"train_loss", scores.train_loss},
                                    {"seconds", info.sums.total_seconds},
                                    {"samples_per_second", static_cast<double>(info.sums.samples) / info.sums.seconds}};
  for (const auto& [split, of_split] :
       {std::pair{"train_", &scores.train}, {"validation_", &scores.validation}, {"test_", &scores.test}}) {
    if (!*of_split) continue;
    for (const auto& [name, value] : (*of_split)->named()) {
      const bool is_end = of_split == &scores.train && name == "loss";
      row[split + (is_end ? "end_loss" : name)] = value;
    }
  }
  for (const std::string& column : info.history.columns) {
    const auto found = row.find(column);
    info.history.rows.push_back(found == row.end() ? std::numeric_limits<double>::quiet_NaN() : found->second);
  }
}

}  // namespace lockstep
