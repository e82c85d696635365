// lockstep predict: a checkpoint's answers to samples, as a file.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <filesystem>

#include "cli/console.hpp"
#include "cli/data_option.hpp"
#include "cli/output.hpp"
#include "cli/ranks.hpp"
#include "cli/shared_net.hpp"
#include "comm/communicator.hpp"
#include "config/data_place.hpp"
#include "core/number_text.hpp"
#include "data/open_dataset.hpp"
#include "lockstep/error.hpp"
#include "lockstep/version.hpp"
#include "train/load_dataset.hpp"
#include "train/matched_data.hpp"
#include "train/prediction.hpp"

namespace lockstep::cli {
namespace {

// Local; whether there is room for the output shows when it is written.
std::string output_file(const CommandInput& input) {
  if (input.options.count("output") == 0) {
    throw Error(ErrorKind::usage, "predict: --output OUT.h5 (or OUT.csv) is needed; see lockstep predict --help");
  }
  return input.options["output"].as<std::string>();
}

// By rank 0, before anything is computed.
void check_place(const CommandInput& input, const std::string& output, const std::string& source) {
  std::error_code ignored;
  const std::filesystem::path path(output);
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  if (!std::filesystem::is_directory(folder, ignored)) {
    throw Error(ErrorKind::usage, fmt::format("--output {}: there is no folder {}", output, folder.string()));
  }
  if (std::filesystem::equivalent(path, find_place(source).file, ignored)) {
    throw Error(ErrorKind::usage, fmt::format("--output {}: this is the file of the samples", output));
  }
  if (std::filesystem::exists(path, ignored) && input.options.count("overwrite") == 0) {
    throw Error(ErrorKind::usage, fmt::format("{} is there already; give --overwrite to replace it", output));
  }
}

// All ranks must read the same; more than its shape cannot be seen without reading it.
void check_same_shape(const Communicator& comm, const TableHeader& x) {
  const std::string mine = fmt::format("{} x {} of type {}", x.rows, x.columns, static_cast<int>(x.type));
  const std::vector<std::string> all = comm.gather_texts(mine);
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all.front()) continue;
    throw Error(ErrorKind::data, fmt::format("{}: rank {} finds {}, rank 0 {}; all hosts need the same file", x.name,
                                             comm.launch_rank(rank), all[rank], all.front()))
        .as_agreed();
  }
}

PredictionPlan plan_of(const StoredNet& stored, const OpenDataset& data) {
  PredictionPlan plan;
  plan.task = stored.loss->task();
  plan.samples = data.x->header().rows;
  plan.outputs = stored.model->outputs();
  plan.own_units = !stored.normalization.y.empty();
  plan.class_names = stored.info.class_names;
  plan.target_names = stored.info.columns.targets;
  plan.step = static_cast<std::int64_t>(stored.info.position.step);
  plan.notes = {{"checkpoint", stored.path},
                {"digest", stored.info.digest},
                {"input", data.source},
                {"lockstep_version", std::string(kVersion)}};
  return plan;
}

}  // namespace

int run_predict(const CommandInput& input) {
  const Communicator& comm = *input.comm;
  std::string output;
  comm.together([&] { output = output_file(input); });
  const StoredNet stored = load_net(comm, input);
  OpenDataset data;
  std::unique_ptr<PredictionFile> file;
  comm.together(
      [&] {
        data = open_samples(chosen_data(input, "input", stored.run).x);
        if (comm.is_root()) check_place(input, output, data.source);
      },
      Blame::host);
  std::vector<std::string> notices;
  match_names(comm, data, known_names(stored.info, *stored.loss, stored.path), notices);
  comm.together(
      [&] {
        const TableHeader& x = data.x->header();
        if (x.columns != stored.model->inputs()) {
          throw Error(ErrorKind::data, fmt::format("{} has {} columns a sample, the net takes {}", x.name, x.columns,
                                                   stored.model->inputs()));
        }
        file = make_prediction_file(output, plan_of(stored, data));
      },
      Blame::host);
  tell_notices(comm, notices);
  check_same_files(comm, data);
  check_same_shape(comm, data.x->header());
  const std::size_t rows = data.x->header().rows;
  ConsoleProgress progress(false);
  const auto begin = std::chrono::steady_clock::now();
  predict_to_file(comm, {*stored.model, *stored.loss, stored.weights.view()}, *data.x, stored.normalization, *file,
                  {.done = [&](std::size_t done) { progress.on_samples(done, rows); }});
  progress.clear();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  if (comm.is_root()) {
    tell("{}: {} by {} (step {}) of {} in {}, {:.0f} samples/s on {}\n", output, count_text(rows, "prediction"),
         stored.path, stored.info.position.step, data.source, format_seconds(seconds.count()),
         static_cast<double>(rows) / seconds.count(), count_text(comm.size(), "rank"));
  }
  return 0;
}

}  // namespace lockstep::cli
