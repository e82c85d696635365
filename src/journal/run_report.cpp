#include "journal/run_report.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "core/function_ref.hpp"
#include "core/utc_time.hpp"
#include "io/files.hpp"
#include "io/places.hpp"
#include "journal/machine.hpp"
#include "net/decision.hpp"
#include "report/report.hpp"

namespace lockstep {
namespace {

// Names of folders and classes may hold bytes that are not UTF-8, which JSON refuses.
void write_json(const std::string& path, const nlohmann::ordered_json& json, int indent) {
  write_text_atomically(path, json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

// [bytes] of what a page is drawn from.
std::uintmax_t size_of_tables(const std::string& folder) {
  std::uintmax_t bytes = 0;
  for (const char* name : {"/metrics.csv", "/steps.csv", "/times.csv"}) {
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(folder + name, error);
    bytes += error ? 0 : size;
  }
  return bytes;
}

// Whether scores.json is of a step that a run at `step` has done.
bool is_still_true(const std::string& path, std::uint64_t step) {
  std::ifstream file(path);
  const auto json = nlohmann::json::parse(file, nullptr, false);
  return json.is_object() && json.contains("step") && json["step"].is_number_unsigned() &&
         json["step"].get<std::uint64_t>() <= step;
}

}  // namespace

RunReport::RunReport(const Communicator& comm, std::string folder, const ReportedRun& run, const Stragglers& ranks)
    : comm_(comm),
      folder_(std::move(folder)),
      run_(run),
      ranks_(ranks),
      started_(utc_now()),
      machine_(describe_machine(comm, *run.engine.model().compute())) {}

void RunReport::begin() const {
  for (const char* name : {"ranks.csv", "report.html"}) remove_linked_file(place(name));
  for (const char* name : {"scores.json", "importance.json"}) {
    if (!run_.resumed || !is_still_true(place(name), run_.engine.info.position.step)) remove_linked_file(place(name));
  }
  write_json(place("status.json"), status_of({}, nullptr), 2);
}

std::string RunReport::make_whole() const {
  std::error_code ignored;
  if (std::filesystem::exists(place("status.json"), ignored)) return "";
  try {
    write_json(place("status.json"), status_of({}, nullptr), 2);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::vector<std::string> RunReport::end(const RunEnd& end) {
  std::vector<std::string> problems;
  const auto attempt = [&](const char* name, FunctionRef<void()> write) {
    comm_.pulse().beat();
    try {
      write();
    } catch (const std::exception& error) {  // also out of memory
      problems.push_back(fmt::format("{} is not written: {}", place(name), error.what()));
    }
  };
  if (end.summary != nullptr && asked()) {
    run_.engine.swap_ema();  // the scores are those of the averaged weights
    if (comm_.is_root()) attempt("scores.json", [&] { write_scores(end); });
    run_.engine.swap_ema();
  }
  if (!comm_.is_root()) return problems;
  attempt("ranks.csv", [&] { write_ranks(); });
  attempt("status.json", [&] { write_json(place("status.json"), status_of(end.status, end.summary), 2); });
  constexpr std::uintmax_t kMostAtStop = std::uintmax_t{1} << 26U;  // a job that stops has little time left
  if (run_.run.log.report && end.summary != nullptr && end.summary->stopped && size_of_tables(folder_) > kMostAtStop) {
    problems.push_back(
        fmt::format("{} is not written now that the run stops: its tables are long", place("report.html")));
  } else if (run_.run.log.report) {
    attempt("report.html", [&] {
      const std::array<std::string, 1> folders{folder_};
      (void)write_report(folders, place("report.html"), [this] { comm_.pulse().beat(); });
    });
  }
  return problems;
}

nlohmann::ordered_json RunReport::status_of(const RunStatus& status, const FitSummary* summary) const {
  const CheckpointInfo& info = run_.engine.info;
  const Engine& engine = run_.engine;
  nlohmann::ordered_json json{{"state", status.state}, {"why", status.why}, {"started", started_}};
  if (status.state != "running") json["ended"] = utc_now();
  json["step"] = info.position.step;
  json["total_steps"] = run_.total_steps;
  json["epochs"] = info.position.epoch;
  json["seconds"] = info.sums.total_seconds;
  if (summary != nullptr) {
    json["samples_per_second"] = summary->samples_per_second;
    json["digest"] = summary->digest;
    json["checkpoint"] = summary->checkpoint;
  }
  json["ranks"] = comm_.size();
  json["nodes"] = comm_.nodes();
  json["shards"] = engine.shards().shards;
  json["exchange"] = run_.run.train.exchange;
  json["wire"] = run_.run.train.wire;
  json["same_bits_at_any_rank_count"] = engine.exchange().same_bits_at_any_rank_count();
  json["training_samples"] = run_.epoch.samples;
  json["validation_samples"] = run_.data.split.validation.size();
  json["test_samples"] = run_.data.test ? run_.data.test->samples() : 0;
  json["inputs"] = engine.model().inputs();
  json["outputs"] = engine.model().outputs();
  json["parameters"] = engine.model().parameters().count();
  json["machine"] = machine_;
  return json;
}

void RunReport::write_ranks() const {
  std::string text = "rank,host,steps,samples";
  for (const StepPhase& phase : kStepPhaseTable) text += fmt::format(",{}", phase.name);
  text += '\n';
  const auto hosts = comm_.by_launch_rank(std::vector<std::string>(ranks_.hosts().begin(), ranks_.hosts().end()));
  const auto ranks = comm_.by_launch_rank(std::vector<RankTimes>(ranks_.totals().begin(), ranks_.totals().end()));
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    text += fmt::format("{},{},{:.0f},{:.0f}", rank, hosts[rank], ranks[rank].steps, ranks[rank].samples);
    for (const StepPhase& phase : kStepPhaseTable) text += fmt::format(",{:.6f}", ranks[rank].seconds.*phase.seconds);
    text += '\n';
  }
  write_text_atomically(place("ranks.csv"), text);
}

std::optional<Asked> RunReport::asked() const {
  const RunData& data = run_.data;
  if (data.test) return Asked{*data.test, data.normalization};
  if (!data.split.validation.empty()) return Asked{data.train, data.normalization, data.split.validation};
  return std::nullopt;
}

void RunReport::write_scores(const RunEnd& end) const {
  const Engine& engine = run_.engine;
  const Net net{engine.model(), engine.loss(), engine.weights(), threshold_of(run_.run, engine.info)};
  const EpochScores& all = end.summary->scores;
  const std::optional<Scores>& scores = run_.data.test ? all.test : all.validation;
  const bool matrix = net.loss.task() == Task::classification;
  if (matrix && !scores) return;  // those of an earlier start stay
  Position at = matrix ? end.scored : run_.engine.info.position;
  if (const auto& restored = end.summary->restored) at = {.step = restored->step, .epoch = restored->epoch};
  nlohmann::ordered_json json{
      {"step", at.step}, {"epochs", at.epoch}, {"split", run_.data.test ? "test" : "validation"}};
  json.update(describe_answers(net, *asked(), scores.value_or(Scores{}), run_.engine.info.class_names));
  write_json(place("scores.json"), json, -1);
}

}  // namespace lockstep
