// lockstep evaluate: scores of a checkpoint on data.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <tuple>

#include "cli/class_report.hpp"
#include "cli/console.hpp"
#include "cli/csv_input.hpp"
#include "cli/data_option.hpp"
#include "cli/importance_report.hpp"
#include "cli/output.hpp"
#include "cli/ranks.hpp"
#include "cli/shared_net.hpp"
#include "comm/communicator.hpp"
#include "config/data_place.hpp"
#include "core/json_text.hpp"
#include "core/number_text.hpp"
#include "data/dataset.hpp"
#include "feed/matched_data.hpp"
#include "feed/run_data.hpp"
#include "import/recipe.hpp"
#include "io/files.hpp"
#include "report/report.hpp"
#include "score/evaluation.hpp"
#include "score/monitor.hpp"

namespace lockstep::cli {
namespace {

// Which rows of the run's own data make up a split; empty: all.
std::vector<std::uint32_t> rows_of(const CommandInput& input, const StoredNet& stored, const Dataset& data) {
  const auto split = input.options["split"].as<std::string>();
  if (input.options.count("data") != 0 || split == "test") return {};
  Split both = split_of_run(stored.run, stored.info, data);
  return std::move(split == "train" ? both.train : both.validation);
}

struct Scored {
  Scores scores;
  std::string data;  // as it was named
  std::optional<Importance> importance = {};
};

nlohmann::ordered_json head_json(const Scored& scored, const StoredNet& stored) {
  return {{"checkpoint", stored.path},
          {"step", stored.info.position.step},
          {"data", scored.data},
          {"samples", scored.scores.samples}};
}

void print_json(const Scored& scored, const StoredNet& stored) {
  const Scores& scores = scored.scores;
  nlohmann::ordered_json json = head_json(scored, stored);
  for (const auto& [name, value] : scores.named()) json[name] = value;
  for (const auto& [name, value] : scores.unweighted) json["unweighted"][name] = value;
  if (stored.loss->task() == Task::binary && stored.model->outputs() == 1) json["threshold"] = stored.threshold;
  if (scores.targets.size() > 1) json["targets"] = target_json(scores, stored.info.columns.targets);
  if (!scores.class_samples.empty()) json["classes"] = class_json(scores, stored.info.class_names);
  if (!scores.confusion.empty()) json["confusion"] = scores.confusion;
  if (scored.importance) json["importance"] = importance_json(*scored.importance);
  tell_lines(json_text(json) + "\n");
}

// What an option of --importance says, and that it goes with it.
void check_importance(const CommandInput& input) {
  for (const char* name : {"by", "repeats", "seed", "importance-csv", "report"}) {
    if (input.options.count(name) == 0 || input.options.count("importance") != 0) continue;
    throw Error(ErrorKind::usage, fmt::format("--{} goes with --importance", name));
  }
  for (const auto& [name, least, most] : {std::tuple{"repeats", 1, 10'000}, {"seed", 0, 0}}) {
    const auto value = input.options[name].as<std::int64_t>();
    if (value >= least && (most == 0 || value <= most)) continue;
    throw Error(ErrorKind::usage, fmt::format("--{}: expected {}, found {}", name,
                                              most == 0 ? "0 or more" : fmt::format("{} to {}", least, most), value));
  }
  if (input.options.count("report") != 0 && !std::filesystem::exists(input.arguments.at(0) + "/run.toml")) {
    throw Error(ErrorKind::usage, fmt::format("--report: {} is not the folder of a run", input.arguments.at(0)));
  }
}

// What is shuffled together: all features that one column of a table has made, as its recipe says.
std::vector<InputGroup> groups_of(const ColumnNames& names, std::size_t inputs) {
  if (names.recipe.empty()) return input_groups(names, inputs);
  std::vector<InputGroup> groups;
  std::size_t column = 0;
  for (const RecipeColumn& of_table : recipe_of_json(names.recipe, "the recipe").columns) {
    InputGroup group{.name = of_table.name, .columns = {}};
    for (std::size_t i = width_of(of_table); i > 0; --i) group.columns.push_back(column++);
    if (!group.columns.empty()) groups.push_back(std::move(group));
  }
  return column == inputs ? groups : input_groups(names, inputs);
}

Importance measure_importance(const Communicator& comm, const CommandInput& input, const StoredNet& stored,
                              const Net& net, const Dataset& data, RowList rows, const Scores& scores) {
  const auto named = scores.named();
  Importance importance;
  ImportanceOptions& by = importance.by;
  std::vector<InputGroup> groups;
  comm.together([&] {
    if (data.streamed()) {
      throw Error(ErrorKind::data,
                  fmt::format("--importance: {} is larger than the run's data.memory_limit ({}), and inputs are "
                              "shuffled over all samples in memory: name a part of it with --data",
                              data.source, stored.run.data.memory_limit));
    }
    by.score = scores.accuracy ? "accuracy" : scores.r2 ? "r2" : "loss";
    if (input.options.count("by") != 0) by.score = input.options["by"].as<std::string>();
    const auto found = std::ranges::find(named, by.score, [](const auto& score) { return score.first; });
    const auto smaller = smaller_is_better(by.score, net.loss);
    if (found == named.end() || !smaller) {
      std::vector<std::string> names;
      for (const auto& score : named) {
        if (smaller_is_better(score.first, net.loss)) names.push_back(score.first);
      }
      throw Error(ErrorKind::usage, fmt::format("--by: expected one of {}, found \"{}\"{}", fmt::join(names, ", "),
                                                by.score, smaller ? "" : ", of which neither more nor less is better"));
    }
    importance.whole = found->second;
    importance.smaller_is_better = *smaller;
    by.seed = static_cast<std::uint64_t>(input.options["seed"].as<std::int64_t>());
    by.repeats = static_cast<std::size_t>(input.options["repeats"].as<std::int64_t>());
    groups = groups_of(stored.info.columns.features.empty() ? data.columns : stored.info.columns, data.inputs());
  });
  ConsoleProgress progress(false);
  by.done = [&](std::size_t done, std::size_t all) { progress.on_work(done, all, "shuffles"); };
  importance.inputs = permutation_importance(comm, net, data, stored.normalization, rows, groups, importance.whole, by);
  progress.clear();
  by.done = {};
  return importance;
}

// By rank 0.
void write_importance(const CommandInput& input, const StoredNet& stored, const Scored& scored) {
  if (input.options.count("importance-csv") != 0) {
    write_text_atomically(input.options["importance-csv"].as<std::string>(), importance_csv(*scored.importance));
  }
  if (input.options.count("report") == 0) return;
  const std::string& folder = input.arguments.at(0);
  nlohmann::ordered_json json = head_json(scored, stored);
  json.update(importance_json(*scored.importance));
  write_text_atomically(folder + "/importance.json", json_text(json) + "\n");
  const std::array<std::string, 1> folders{folder};
  for (const std::string& note : write_report(folders, folder + "/report.html")) tell_message("warning: " + note);
}

// The data go at the end of this function, on all ranks at once.
Scored score(const Communicator& comm, const StoredNet& stored, const CommandInput& input) {
  std::vector<std::string> notices;
  DataSource source;
  comm.together([&] {
    check_importance(input);
    source = chosen_data(input, "data", stored.run);
    if (input.options.count("labels") == 0) return;
    if (input.options.count("data") == 0) throw Error(ErrorKind::usage, "--labels: name the samples with --data");
    if (!find_place(source.x).group.empty()) {
      throw Error(ErrorKind::usage, fmt::format("--labels: {} is HDF5, where y lies beside x", source.x));
    }
    source.y = input.options["labels"].as<std::string>();
  });
  const KnownNames known = known_names(stored.info, *stored.loss, stored.path);
  std::uint32_t is_table = 0;
  comm.together(
      [&] { is_table = input.options.count("data") != 0 && is_csv(stored, source.x) && source.y.empty() ? 1 : 0; });
  std::unique_ptr<CsvSamples> table;  // what is read from it goes first
  OpenDataset file;
  if (comm.combine(is_table) != 0) {
    table = open_csv(comm, stored, source.x, {.answers = true}, notices);
    file = table->open();
    match_names(comm, file, known, notices);
  } else {
    file = open_matched(comm, source, stored.run.data, known, notices);
  }
  tell_notices(comm, notices);
  const bool measures = input.options.count("importance") != 0;
  DataConfig config = stored.run.data;
  if (measures) config.load = "auto";  // in memory where it fits there
  const Dataset data = read_scored_data(comm, std::move(file), config, *stored.loss, stored.model->outputs());
  if (table) {
    count_unknown_once(comm, *table, data.samples());
    tell_notices(comm, unknown_notices(met_by_all(comm, *table), source.x, data.samples()));
  }
  std::vector<std::uint32_t> rows;
  comm.together([&] {
    if (data.inputs() != stored.model->inputs()) {
      throw Error(ErrorKind::data, fmt::format("{} has {} columns a sample, the net takes {}", data.source,
                                               data.inputs(), stored.model->inputs()));
    }
    check_targets(data, nullptr, *stored.loss, stored.model->outputs(),
                  static_cast<std::int64_t>(stored.model->outputs()));
    rows = rows_of(input, stored, data);
    if (!rows.empty()) {
      const bool trained = input.options["split"].as<std::string>() == "train";
      check_some_weight(data, *stored.loss, rows, trained ? "training sample" : "validation sample");
    }
  });
  const Net net{*stored.model, *stored.loss, stored.weights.view(), stored.threshold};
  Scored scored{evaluate(comm, net, data, stored.normalization, rows, {.by_order = true}), data.source};
  if (!scored.scores.left_out.empty()) tell_notices(comm, {"left out: " + scored.scores.left_out});
  if (measures) scored.importance = measure_importance(comm, input, stored, net, data, rows, scored.scores);
  return scored;
}

}  // namespace

int run_evaluate(const CommandInput& input) {
  const Communicator& comm = *input.comm;
  const StoredNet stored = load_net(comm, input);
  const Scored scored = score(comm, stored, input);
  comm.at_root([&] {
    if (scored.importance) write_importance(input, stored, scored);
  });
  if (!comm.is_root()) return 0;
  if (input.options.count("json") != 0) {
    print_json(scored, stored);
    return 0;
  }
  const Scores& scores = scored.scores;
  tell("{} (step {}) on {}: {} samples\n", stored.path, stored.info.position.step, scored.data, scores.samples);
  const bool weighted = !scores.unweighted.empty();
  if (weighted) tell("{:<20}{:<14}{}\n", "", "by weight", "each sample once");
  for (const auto& [name, value] : scores.named()) {
    const auto each = std::ranges::find(scores.unweighted, name, [](const auto& score) { return score.first; });
    const std::string beside = each == scores.unweighted.end() ? "" : fmt::format("{:.6g}", each->second);
    tell("{:<20}{:<{}.6g}{}\n", name, value, weighted ? 14 : 0, beside);
  }
  if (!stored.normalization.y.empty())
    tell("(loss in normalised units, rmse, mae and other errors in those of the targets)\n");
  if (stored.threshold != 0.5) {
    tell("(the answer is 1 above a probability of {:.6g}{})\n", stored.threshold,
         stored.info.decision ? fmt::format(", chosen by {} on validation data", stored.info.decision->rule) : "");
  }
  tell_lines(target_report(scores, stored.info.columns.targets));
  tell_lines(class_report(scores, stored.info.class_names));
  if (scored.importance) tell_lines(importance_text(*scored.importance));
  return 0;
}

}  // namespace lockstep::cli
