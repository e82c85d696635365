#include "journal/run_folder.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "checkpoint/retention.hpp"
#include "core/json_text.hpp"
#include "io/folder_lock.hpp"
#include "io/places.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

// All that a run folder holds besides checkpoints/ and tensorboard/.
constexpr std::array kRunFiles = {"run.toml",        "metrics.csv", "steps.csv",  "times.csv",
                                  "summary.json",    "status.json", "ranks.csv",  "scores.json",
                                  "importance.json", "report.html", "trace.json", FolderLock::kName};

constexpr std::string_view kStepsHeader = "step,epoch,learning_rate,loss,gradient_norm,samples_per_second\n";

// Of each phase the spread over the ranks.
std::string times_header() {
  std::string header = "step,steps";
  for (const StepPhase& phase : kStepPhaseTable) header += fmt::format(",{0}_min,{0}_median,{0}_max", phase.name);
  return header + ",slowest_host,behind\n";
}

// The losses and scores of the last epoch. Of a name the set of samples comes first: "test/accuracy".
std::vector<TaggedValue> epoch_events(const History& history) {
  std::vector<TaggedValue> values;
  const std::span<const double> row = std::span(history.rows).last(history.columns.size());
  for (std::size_t c = 0; c < row.size(); ++c) {
    std::string tag = history.columns[c];
    const bool of_a_step = tag == "learning_rate" || tag == "samples_per_second";  // steps have them too
    if (std::isnan(row[c]) || of_a_step || tag.find('_') == std::string::npos) continue;
    if (tag == "train_loss") tag = "train_epoch_loss";  // "train/loss" is that of a batch
    values.push_back({tag.replace(tag.find('_'), 1, "/"), row[c]});
  }
  return values;
}

std::string joined(const std::string& problem, const std::string& other) {
  return problem.empty() || other.empty() ? problem + other : problem + "; " + other;
}

std::string metrics_row(const History& history, std::size_t row) {
  std::string text;
  for (std::size_t c = 0; c < history.columns.size(); ++c) {
    const double value = history.rows[row * history.columns.size() + c];
    if (c != 0) text += ',';
    if (!std::isnan(value)) text += fmt::format("{}", value);
  }
  return text + "\n";
}

// The whole rows of an earlier start up to `last_step`; a crash may have torn one.
std::string kept_rows(const std::string& path, const std::string& header, std::uint64_t last_step) {
  std::string kept(header);
  if (last_step == 0) return kept;
  std::ifstream file(path);
  const auto commas = std::ranges::count(header, ',');
  std::string line;
  std::getline(file, line);  // the header
  while (std::getline(file, line)) {
    std::uint64_t step = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), step);
    const bool whole = !file.eof() && std::ranges::count(line, ',') == commas;
    if (whole && error == std::errc{} && *end == ',' && step <= last_step) kept += line + "\n";
  }
  return kept;
}

nlohmann::ordered_json to_json(const Scores& scores) {
  nlohmann::ordered_json json;
  json["samples"] = scores.samples;
  for (const auto& [name, value] : scores.named()) json[name] = value;
  for (const auto& [name, value] : scores.unweighted) json["unweighted"][name] = value;
  return json;
}

}  // namespace

void RunFolder::check_places() const {
  for (const char* name : kRunFiles) {
    const std::string path = fmt::format("{}/{}", folder_, name);
    const std::string found = other_than_file(path);
    if (found.empty() || found == "a folder") continue;
    throw Error(ErrorKind::data, fmt::format("{}: expected a file of the run, found {}: remove it, or choose another "
                                             "folder with --output",
                                             path, found));
  }
}

void RunFolder::open(const std::string& run_toml, const CheckpointInfo& info, bool tensorboard) {
  make_folders(checkpoints());
  remove_unfinished_checkpoints(checkpoints());
  run_toml_ = run_toml;
  write_text_atomically(folder_ + "/run.toml", run_toml);
  std::string metrics = fmt::format("{}\n", fmt::join(info.history.columns, ","));
  for (std::size_t row = 0; row < info.history.num_rows(); ++row) metrics += metrics_row(info.history, row);
  write_text_atomically(folder_ + "/metrics.csv", metrics);
  for (const auto& [name, header] :
       {std::pair{"/steps.csv", std::string(kStepsHeader)}, {"/times.csv", times_header()}})
    write_text_atomically(folder_ + name, kept_rows(folder_ + name, header, info.position.step));
  remove_linked_file(folder_ + "/summary.json");  // of an earlier start
  metrics_ = RowFile(folder_ + "/metrics.csv");
  steps_ = RowFile(folder_ + "/steps.csv");
  times_ = RowFile(folder_ + "/times.csv");
  const std::string events = folder_ + "/tensorboard";
  if (info.position.step == 0) {  // of another run
    remove_event_files(events);
    remove_linked_file(trace());
  }
  events_.reset();
  // Files of an earlier start must hear which of their steps do not count any more, whether or not events follow.
  if (tensorboard || has_event_files(events)) events_.emplace(events, info.position.step);
  if (!tensorboard) events_.reset();
}

std::string RunFolder::add_epoch(const History& history) {
  const std::string problem = metrics_.add(metrics_row(history, history.num_rows() - 1));
  if (!events_) return problem;
  const auto column = std::ranges::find(history.columns, "step") - history.columns.begin();
  const double step = *(history.rows.end() - std::ssize(history.columns) + column);
  return joined(problem, events_->add(static_cast<std::uint64_t>(step), epoch_events(history)));
}

std::string RunFolder::add_step(const StepResult& step, std::uint64_t epoch, double samples_per_second) {
  const std::string norm = step.gradient_norm ? fmt::format("{}", *step.gradient_norm) : "";
  const std::string problem = steps_.add(fmt::format("{},{},{},{},{},{:.1f}\n", step.step, epoch, step.learning_rate,
                                                     step.loss, norm, samples_per_second));
  if (!events_) return problem;
  std::vector<TaggedValue> values = {{"epoch", static_cast<double>(epoch)},
                                     {"train/loss", step.loss},
                                     {"train/learning_rate", step.learning_rate},
                                     {"train/samples_per_second", samples_per_second}};
  if (step.gradient_norm) values.push_back({"train/gradient_norm", *step.gradient_norm});
  return joined(problem, events_->add(step.step, values));
}

std::string RunFolder::add_times(const TimesRow& row) {
  std::string text = fmt::format("{},{}", row.step, row.steps);
  for (const PhaseSpread& phase : row.phases) {
    text += fmt::format(",{:.7f},{:.7f},{:.7f}", phase.min, phase.median, phase.max);
  }
  text += row.slowest_host.empty() ? ",," : fmt::format(",{},{:.3f}", row.slowest_host, row.behind);
  return times_.add(text + "\n");
}

std::vector<std::string> RunFolder::last_rows() {
  std::vector<std::string> problems;
  try {
    std::error_code ignored;
    make_folders(checkpoints());
    if (!std::filesystem::exists(folder_ + "/run.toml", ignored))
      write_text_atomically(folder_ + "/run.toml", run_toml_);
  } catch (const Error& error) {
    problems.emplace_back(error.what());
  }
  for (RowFile* file : {&metrics_, &steps_, &times_}) {
    if (std::string problem = file->finish(); !problem.empty()) problems.push_back(std::move(problem));
  }
  if (events_) {
    if (std::string problem = events_->finish(); !problem.empty()) problems.push_back(std::move(problem));
  }
  return problems;
}

void RunFolder::write_summary(const FitSummary& summary) const {
  make_folders(folder_);  // it may be gone
  write_text_atomically(folder_ + "/summary.json", format_summary(summary));
}

std::string format_summary(const FitSummary& summary) {
  nlohmann::ordered_json json;
  json["steps"] = summary.steps;
  json["epochs"] = summary.epochs;
  json["seconds"] = summary.seconds;
  json["samples_per_second"] = summary.samples_per_second;
  json["communication_seconds"] = summary.communication_seconds;
  json["ranks"] = summary.ranks;
  json["nodes"] = summary.nodes;
  json["shards"] = summary.shards;
  json["parameters"] = summary.parameters;
  json["exchange"] = summary.exchange;
  json["wire"] = summary.wire;
  json["same_bits_at_any_rank_count"] = summary.same_bits_at_any_rank_count;
  json["digest"] = summary.digest;
  json["train"]["loss"] = summary.scores.train_loss;
  if (summary.scores.train) {
    nlohmann::ordered_json at_end = to_json(*summary.scores.train);
    json["train"]["end_loss"] = at_end["loss"];
    at_end.erase("loss");
    json["train"].update(at_end);
  }
  if (summary.scores.validation) json["validation"] = to_json(*summary.scores.validation);
  if (summary.scores.test) json["test"] = to_json(*summary.scores.test);
  if (summary.best) {
    json["best"] = {{"monitor", summary.best->monitor},
                    {"value", summary.best->value},
                    {"epoch", summary.best->epoch},
                    {"step", summary.best->step}};
  }
  json["stopped_early"] = summary.stopped_early;
  if (summary.decision) {
    json["decision"] = {{"threshold", summary.decision->threshold},
                        {"rule", summary.decision->rule},
                        {"score", summary.decision->score}};
  }
  if (summary.restored) json["restored"] = {{"epoch", summary.restored->epoch}, {"step", summary.restored->step}};
  json["checkpoint"] = summary.checkpoint;
  if (!summary.failure.empty()) json["failure"] = summary.failure;
  json["checkpoint_seconds"] = summary.checkpoint_seconds;
  json["checkpoint_stall_seconds"] = summary.checkpoint_stall_seconds;
  // A folder's name may hold bytes that are not UTF-8, which JSON refuses.
  return json_text(json) + "\n";
}

}  // namespace lockstep
