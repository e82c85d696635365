// lockstep inspect: what a checkpoint, a run folder or a data set holds. Runs without MPI.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "checkpoint/checkpoint.hpp"
#include "checkpoint/retention.hpp"
#include "checkpoint/trailer.hpp"
#include "cli/commands.hpp"
#include "cli/inspect_data.hpp"
#include "cli/output.hpp"
#include "config/data_place.hpp"
#include "config/file_pattern.hpp"
#include "core/json_text.hpp"
#include "core/number_text.hpp"
#include "import/recipe.hpp"
#include "io/files.hpp"
#include "io/hdf5.hpp"
#include "lockstep/error.hpp"

namespace lockstep::cli {
namespace {

nlohmann::ordered_json to_json(const Checkpoint& checkpoint, const std::string& path) {
  const CheckpointInfo& info = checkpoint.info;
  nlohmann::ordered_json json;
  json["file"] = path;
  json["kind"] = "checkpoint";
  json["version"] = info.version;
  json["step"] = info.position.step;
  json["epoch"] = info.position.epoch;
  json["position"] = info.position.position;
  json["seed"] = info.seed;
  json["shards"] = info.shards;
  json["digest"] = info.digest;
  json["data_fingerprint"] = info.train_fingerprint;
  json["test_fingerprint"] = info.test_fingerprint;
  json["exchange"] = info.exchange;
  json["blas_kernel"] = info.blas_kernel;
  json["blas_threads"] = info.blas_threads;
  json["simd_target"] = info.simd_target;
  if (!info.probe.empty()) json["probe"] = info.probe;
  json["versions"] = info.versions;
  json["ranks"] = info.ranks;
  json["hosts"] = info.hosts;
  json["time"] = info.time;
  for (const Parameter& parameter : checkpoint.table.entries()) {
    json["parameters"][parameter.layer + "/" + parameter.name] = parameter.shape;
  }
  json["weights"] = checkpoint.table.count();
  json["optimizer_slots"] = checkpoint.slot_names;
  json["ema"] = !checkpoint.ema.empty();
  if (info.decision) {
    json["decision"] = {
        {"threshold", info.decision->threshold}, {"rule", info.decision->rule}, {"score", info.decision->score}};
  }
  if (info.restored) json["restored"] = {{"step", info.restored->step}, {"epoch", info.restored->epoch}};
  if (info.best) {
    json["best"] = {{"monitor", info.best->monitor},
                    {"value", info.best->value},
                    {"step", info.best->step},
                    {"epoch", info.best->epoch}};
  }
  for (std::size_t row = 0; row < info.history.num_rows(); ++row) {
    nlohmann::ordered_json entry;
    for (std::size_t c = 0; c < info.history.columns.size(); ++c) {
      const double value = info.history.rows[row * info.history.columns.size() + c];
      entry[info.history.columns[c]] = std::isnan(value) ? nlohmann::ordered_json() : nlohmann::ordered_json(value);
    }
    json["history"].push_back(entry);
  }
  json["features"] = info.columns.features;
  json["categorical"] = info.columns.categorical;
  json["targets"] = info.columns.targets;
  json["classes"] = info.class_names;
  const auto recipe = nlohmann::ordered_json::parse(info.columns.recipe, nullptr, false);
  json["recipe"] = recipe.is_discarded() ? nlohmann::ordered_json() : recipe;
  json["normalization"] = info.normalization;
  json["run"] = info.run;
  return json;
}

// As many as fit into a line of a terminal, and how many there are.
void print_names(const char* what, const std::vector<std::string>& of_file) {
  const std::vector<std::string> names = visible(of_file);
  constexpr std::size_t kWidth = 80;
  if (names.empty()) return;
  std::string line = fmt::format("  {:<14}{}:", what, names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::size_t left = names.size() - i;
    const std::string more = left == 1 ? "" : fmt::format(" ... {} more, see --json", left);
    if (i > 0 && line.size() + names[i].size() + 2 + more.size() > kWidth) {
      line += more;
      break;
    }
    line += fmt::format("{} {}", i == 0 ? "" : ",", names[i]);
  }
  tell("{}\n", line);
}

// How the table behind the training data is read.
void print_recipe(const CheckpointInfo& info) {
  if (info.columns.recipe.empty()) return;
  const Recipe recipe = recipe_of_json(info.columns.recipe, "this checkpoint");
  std::vector<std::string> left_out;
  std::vector<std::string> dates;
  std::vector<std::string> filled;
  for (const RecipeColumn& column : recipe.columns) {
    if (column.use == ColumnUse::dropped) left_out.push_back(column.name);
    if (column.use == ColumnUse::date) dates.push_back(column.name);
    if (!is_fill(column.missing)) continue;
    filled.push_back(
        fmt::format("{} ({}{})", column.name, rule_name(column.missing), column.indicator ? ", told" : ""));
  }
  const std::string delimiter = recipe.delimiter == '\t' ? "tabs" : fmt::format("'{}'", recipe.delimiter);
  tell("  table         {} columns, {} between them, decimals behind '{}'{}\n", recipe.columns.size(), delimiter,
       recipe.decimal, recipe.weight() == nullptr ? "" : ", weight " + visible(recipe.weight()->name));
  print_names("left out", left_out);
  print_names("dates", dates);
  print_names("filled", filled);
}

void print_data(const CheckpointInfo& info) {
  print_names("features", info.columns.features);
  print_names("categorical", info.columns.categorical);
  print_names("targets", info.columns.targets);
  print_names("classes", info.class_names);
  const auto columns = [&](const char* name) {
    const auto found = info.normalization.find(name);
    return found == info.normalization.end() ? 0 : found->second.size();
  };
  if (const std::size_t x = columns("x_shift"); x != 0) {
    const std::size_t y = columns("y_shift");
    tell("  normalised    {}{}\n", count_text(x, "input"), y == 0 ? "" : ", " + count_text(y, "target"));
  }
  print_recipe(info);
}

// Behind blanks, as all below the file's name: a line of a stranger's text is not taken for one of this program.
void print_run(std::string_view run) {
  tell("\n");
  while (!run.empty()) {
    const std::string_view line = run.substr(0, run.find('\n'));
    run.remove_prefix(std::min(run.size(), line.size() + 1));
    tell("{}{}\n", line.empty() ? "" : "  ", line);
  }
}

// Of the epoch whose state the checkpoint holds; of one within an epoch, of the last one that has ended.
void print_scores(const CheckpointInfo& info) {
  const std::size_t row = info.restored ? info.restored->epoch : info.history.num_rows();  // counts from 1
  if (row == 0 || row > info.history.num_rows()) return;
  tell("  {} ", info.restored ? "its epoch   " : "last epoch  ");
  for (std::size_t c = 0; c < info.history.columns.size(); ++c) {
    tell(" {} {:.6g}", info.history.columns[c], info.history.rows[(row - 1) * info.history.columns.size() + c]);
  }
  tell("\n");
}

void print_text(const Checkpoint& checkpoint, const std::string& path) {
  const CheckpointInfo& info = checkpoint.info;
  tell("{}\n  step {}, {} done, {} of the next\n", path, info.position.step, count_text(info.position.epoch, "epoch"),
       count_text(info.position.position, "sample"));
  tell("  digest        {}\n  written       {} by {} on {}\n", info.digest, info.time, count_text(info.ranks, "rank"),
       info.hosts);
  tell("  computed with {} kernels, {}, {} vectors, exchange {}, {}\n", info.blas_kernel,
       count_text(info.blas_threads, "BLAS thread"), info.simd_target, info.exchange, count_text(info.shards, "shard"));
  if (info.best)
    tell("  best          {} {:.6g} at step {} (epoch {})\n", info.best->monitor, info.best->value, info.best->step,
         info.best->epoch);
  if (info.decision) {
    tell("  threshold     {:.6g}, by {}: {:.6g} on validation data\n", info.decision->threshold, info.decision->rule,
         info.decision->score);
  }
  if (info.restored) {
    tell("  restored      the run has ended with the state of step {} (epoch {})\n", info.restored->step,
         info.restored->epoch);
  }
  std::vector<std::string> arrays = checkpoint.slot_names;
  if (!checkpoint.ema.empty()) arrays.emplace_back("moving average");
  tell("  parameters    {} weights{}\n", checkpoint.table.count(),
       arrays.empty() ? "" : fmt::format(", each with {}", fmt::join(visible(arrays), " and ")));
  for (const Parameter& parameter : checkpoint.table.entries()) {
    tell("    {:<24}[{}]\n", parameter.layer + "/" + parameter.name, fmt::join(parameter.shape, ", "));
  }
  print_data(info);
  print_scores(info);
  print_run(info.run);
}

/// `unreadable` takes why HDF5 does not open a file that nothing shows to be a checkpoint.
bool is_checkpoint(const std::string& path, std::string& unreadable) {
  if (has_trailer(read_end(path, kTrailerBytes))) return true;  // to be verified before HDF5 sees it
  try {
    const h5::File file = h5::File::open(path);
    return file.has_attribute("/", "format") && file.text_attribute("/", "format") == "lockstep-checkpoint";
  } catch (const Error& error) {
    unreadable = error.what();
    return true;  // damaged: the checkpoint reader says how
  }
}

/// True where `name` is a pattern of file names, or a folder of data files rather than of checkpoints.
bool means_files(const std::string& name) {
  const DataPlace place = find_place(name);
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(place.file, ignored);
  if (!place.many || !is_folder || !place.group.empty()) return place.many;
  return list_checkpoints(name).empty() && list_checkpoints(name + "/checkpoints").empty() &&
         !matching_files(place.file).empty();
}

int run_inspect(const CommandInput& input) {
  if (input.arguments.empty())
    throw Error(ErrorKind::usage, "inspect: a file or folder is needed; see lockstep inspect --help");
  const bool json = input.options.count("json") != 0;
  const bool digest = input.options.count("digest") != 0;
  const bool verify = input.options.count("verify") != 0;
  if (!digest && !verify && means_files(input.arguments[0])) return inspect_files(input.arguments[0], json);
  const std::string path = checkpoint_file(input.arguments[0]);
  std::string unreadable;
  if (!digest && !verify && !is_checkpoint(path, unreadable)) return inspect_data(path, json);
  const Checkpoint checkpoint = [&] {
    try {
      return read_checkpoint(path);  // checks everything
    } catch (const Error& error) {
      if (unreadable.empty()) throw;
      throw Error(error.kind(), fmt::format("{}; as data: {}", error.what(), unreadable));
    }
  }();
  if (digest) {
    tell("{}\n", checkpoint.info.digest);
  } else if (json) {
    tell_lines(json_text(to_json(checkpoint, path)) + "\n");
  } else if (verify) {
    tell("{}: good (length, hash, schema, every array and the digest {})\n", path, checkpoint.info.digest);
  } else {
    print_text(checkpoint, path);
  }
  return 0;
}

}  // namespace

Command inspect_command() {
  return {"inspect",
          "FILE|DIR",
          "Tells what a checkpoint, a run folder or a data file holds.",
          "lockstep inspect runs/digits --digest",
          {{"json", OptionKind::flag, "", "", "everything as JSON"},
           {"digest", OptionKind::flag, "", "", "only the digest of weights, optimizer state and place"},
           {"verify", OptionKind::flag, "", "", "reads and checks all of it; exit code 2 if it is damaged"}},
          run_inspect};
}

}  // namespace lockstep::cli
