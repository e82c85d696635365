// lockstep evaluate: scores of a checkpoint on data.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <filesystem>

#include "cli/command.hpp"
#include "cli/stored_net.hpp"
#include "comm/communicator.hpp"
#include "data/dataset.hpp"
#include "train/evaluation.hpp"
#include "train/run_data.hpp"

namespace lockstep::cli {
namespace {

// --data FILE.h5 takes the group of --split; --data FILE.h5:/group is taken as it is.
DataSource source_of(const CommandInput& input, const RunConfig& run) {
  const auto split = input.options["split"].as<std::string>();
  if (input.options.count("data") != 0) {
    const auto file = input.options["data"].as<std::string>();
    return {file.find(":/") == std::string::npos ? file + ":/" + split : file, ""};
  }
  if (split != "test" && split != "train" && split != "validation") {
    throw Error(ErrorKind::usage, fmt::format("--split: expected train, validation or test, found \"{}\"", split));
  }
  const DataSource& source = split == "test" ? run.data.test : run.data.train;
  if (source.empty() || (split == "validation" && run.data.validation == 0)) {
    throw Error(ErrorKind::usage, fmt::format("the run has no {} data; name some with --data", split));
  }
  return source;
}

// Which rows of the run's own data make up a split; empty: all.
std::vector<std::uint32_t> rows_of(const CommandInput& input, const StoredNet& stored, const Dataset& data) {
  const auto split = input.options["split"].as<std::string>();
  if (input.options.count("data") != 0 || split == "test") return {};
  Split both = split_of_run(stored.run, stored.info, data);
  return std::move(split == "train" ? both.train : both.validation);
}

void print_confusion(const Scores& scores, const std::vector<std::string>& names) {
  std::size_t classes = 0;
  while (classes * classes < scores.confusion.size()) ++classes;
  if (classes == 0 || classes > 20) return;
  fmt::print("\nconfusion matrix (row: label, column: answer)\n");
  for (std::size_t row = 0; row < classes; ++row) {
    fmt::print("{:>12}", row < names.size() ? names[row] : std::to_string(row));
    for (std::size_t column = 0; column < classes; ++column)
      fmt::print("{:>7}", scores.confusion[row * classes + column]);
    fmt::print("\n");
  }
}

void print_json(const Scores& scores, const std::string& checkpoint, const std::string& data, std::uint64_t step) {
  nlohmann::ordered_json json;
  json["checkpoint"] = checkpoint;
  json["step"] = step;
  json["data"] = data;
  json["samples"] = scores.samples;
  for (const auto& [name, value] : scores.named()) json[name] = value;
  if (!scores.confusion.empty()) json["confusion"] = scores.confusion;
  fmt::print("{}\n", json.dump(2));
}

struct Scored {
  Scores scores;
  std::string data;  // as it was named
};

// The data go at the end of this function, on all ranks at once.
Scored score(const Communicator& comm, const StoredNet& stored, const CommandInput& input) {
  DataSource source;
  comm.together([&] { source = source_of(input, stored.run); });
  const Dataset data = read_scored_data(comm, source, stored.run.data, *stored.loss, stored.model->outputs());
  std::vector<std::uint32_t> rows;
  comm.together([&] {
    if (data.inputs() != stored.model->inputs()) {
      throw Error(ErrorKind::data, fmt::format("{} has {} columns a sample, the net takes {}", data.source,
                                               data.inputs(), stored.model->inputs()));
    }
    check_targets(data, nullptr, *stored.loss, stored.model->outputs(),
                  static_cast<std::int64_t>(stored.model->outputs()));
    rows = rows_of(input, stored, data);
  });
  return {evaluate(comm, {*stored.model, *stored.loss, stored.weights.view()}, data, stored.normalization, rows),
          data.source};
}

int run_evaluate(const CommandInput& input) {
  const Communicator& comm = *input.comm;
  const StoredNet stored = load_net(comm, input);
  const auto [scores, data] = score(comm, stored, input);
  if (!comm.is_root()) return 0;
  if (input.options.count("json") != 0) {
    print_json(scores, stored.path, data, stored.info.position.step);
    return 0;
  }
  fmt::print("{} (step {}) on {}: {} samples\n", stored.path, stored.info.position.step, data, scores.samples);
  for (const auto& [name, value] : scores.named()) fmt::print("{:<14}{:.6g}\n", name, value);
  print_confusion(scores, stored.info.class_names);
  return 0;
}

}  // namespace

Command evaluate_command() {
  return {"evaluate",
          "CHECKPOINT",
          "Scores a checkpoint (or the newest one of a run folder) on data.",
          "mpirun -n 2 lockstep evaluate runs/digits --json",
          true,
          false,
          {{"data", OptionKind::text, "FILE.h5", "", "other data than the run's; FILE.h5:/group names the group"},
           {"split", OptionKind::text, "NAME", "test", "train, validation or test"},
           {"json", OptionKind::flag, "", "", "scores and confusion matrix as JSON"}},
          run_evaluate};
}

}  // namespace lockstep::cli
