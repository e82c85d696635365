// lockstep evaluate: scores of a checkpoint on data.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <filesystem>

#include "cli/class_report.hpp"
#include "cli/console.hpp"
#include "cli/data_option.hpp"
#include "cli/output.hpp"
#include "cli/ranks.hpp"
#include "cli/shared_net.hpp"
#include "comm/communicator.hpp"
#include "config/data_place.hpp"
#include "core/json_text.hpp"
#include "data/dataset.hpp"
#include "train/evaluation.hpp"
#include "train/matched_data.hpp"
#include "train/run_data.hpp"

namespace lockstep::cli {
namespace {

// Which rows of the run's own data make up a split; empty: all.
std::vector<std::uint32_t> rows_of(const CommandInput& input, const StoredNet& stored, const Dataset& data) {
  const auto split = input.options["split"].as<std::string>();
  if (input.options.count("data") != 0 || split == "test") return {};
  Split both = split_of_run(stored.run, stored.info, data);
  return std::move(split == "train" ? both.train : both.validation);
}

void print_json(const Scores& scores, const StoredNet& stored, const std::string& data) {
  nlohmann::ordered_json json;
  json["checkpoint"] = stored.path;
  json["step"] = stored.info.position.step;
  json["data"] = data;
  json["samples"] = scores.samples;
  for (const auto& [name, value] : scores.named()) json[name] = value;
  if (!scores.class_samples.empty()) json["classes"] = class_json(scores, stored.info.class_names);
  if (!scores.confusion.empty()) json["confusion"] = scores.confusion;
  tell_lines(json_text(json) + "\n");
}

struct Scored {
  Scores scores;
  std::string data;  // as it was named
};

// The data go at the end of this function, on all ranks at once.
Scored score(const Communicator& comm, const StoredNet& stored, const CommandInput& input) {
  std::vector<std::string> notices;
  DataSource source;
  comm.together([&] {
    source = chosen_data(input, "data", stored.run);
    if (input.options.count("labels") == 0) return;
    if (input.options.count("data") == 0) throw Error(ErrorKind::usage, "--labels: name the samples with --data");
    if (!find_place(source.x).group.empty()) {
      throw Error(ErrorKind::usage, fmt::format("--labels: {} is HDF5, where y lies beside x", source.x));
    }
    source.y = input.options["labels"].as<std::string>();
  });
  OpenDataset file = open_matched(comm, source, known_names(stored.info, *stored.loss, stored.path), notices);
  tell_notices(comm, notices);
  const Dataset data = read_scored_data(comm, std::move(file), stored.run.data, *stored.loss, stored.model->outputs());
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

}  // namespace

int run_evaluate(const CommandInput& input) {
  const Communicator& comm = *input.comm;
  const StoredNet stored = load_net(comm, input);
  const auto [scores, data] = score(comm, stored, input);
  if (!comm.is_root()) return 0;
  if (input.options.count("json") != 0) {
    print_json(scores, stored, data);
    return 0;
  }
  tell("{} (step {}) on {}: {} samples\n", stored.path, stored.info.position.step, data, scores.samples);
  for (const auto& [name, value] : scores.named()) tell("{:<14}{:.6g}\n", name, value);
  if (!stored.normalization.y.empty()) tell("(loss in normalised units, rmse and mae in those of the targets)\n");
  tell_lines(class_report(scores, stored.info.class_names));
  return 0;
}

}  // namespace lockstep::cli
