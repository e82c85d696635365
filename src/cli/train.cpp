// lockstep train: a run file to a trained net.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cli/command.hpp"
#include "cli/console.hpp"
#include "cli/signals.hpp"
#include "cli/watchdog.hpp"
#include "comm/communicator.hpp"
#include "config/run_file.hpp"
#include "core/number_text.hpp"
#include "io/files.hpp"
#include "train/fit.hpp"

namespace lockstep::cli {
namespace {

constexpr int kStoppedEarly = 75;  // EX_TEMPFAIL of sysexits.h: try again

// Rank 0 reads the file, so that every rank has the same text.
RunConfig read_run(const Communicator& comm, const CommandInput& input) {
  std::string text;
  comm.together([&] {
    if (input.arguments.empty())
      throw Error(ErrorKind::usage, "train: a run file is needed; see lockstep train --help");
    if (!comm.is_root()) return;
    const std::vector<std::byte> bytes = read_file(input.arguments[0]);
    text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
  text = comm.broadcast_text(text);
  std::vector<std::string> overrides;
  if (input.options.count("set") != 0) overrides = input.options["set"].as<std::vector<std::string>>();
  RunConfig run;
  comm.together([&] {
    run = parse_run(text, input.arguments[0], overrides);
    const std::string beside = std::filesystem::path(input.arguments[0]).parent_path().string();
    const std::vector<std::string> folders{beside.empty() ? "." : beside, "."};
    resolve_paths(run, folders);
  });
  return run;
}

// The run folder; by default the one that the run's name gives.
std::string output_of(const CommandInput& input, const RunConfig& run) {
  if (input.options.count("output") != 0) {
    const auto output = input.options["output"].as<std::string>();
    if (output.empty()) throw Error(ErrorKind::usage, "--output: expected a folder, found nothing");
    return output;
  }
  if (run.name.empty() || run.name == "." || run.name == ".." || run.name.find('/') != std::string::npos) {
    throw Error(
        ErrorKind::config,
        fmt::format("name: expected a name for the folder runs/NAME, found \"{}\"; or give --output", run.name));
  }
  return "runs/" + run.name;
}

void print_result(const FitSummary& summary) {
  fmt::print("trained {} ({}) in {}, {:.0f} samples/s on {}\n", count_text(summary.steps, "step"),
             count_text(summary.epochs, "epoch"), format_seconds(summary.seconds), summary.samples_per_second,
             count_text(summary.ranks, "rank"));
  if (summary.nodes > 1) {
    fmt::print("between hosts      {} waited for, {:.0f} % of the time of steps\n",
               format_seconds(summary.communication_seconds),
               100 * summary.communication_seconds / summary.step_seconds);
  }
  fmt::print("train loss         {:.6g}\n", summary.train_loss);
  if (summary.test) {
    for (const auto& [name, value] : summary.test->named()) fmt::print("test {:<14}{:.6g}\n", name, value);
  }
  if (summary.best) {
    fmt::print("best               {} {:.6g} (epoch {}, step {})\n", summary.best->monitor, summary.best->value,
               summary.best->epoch, summary.best->step);
  }
  fmt::print("checkpoint         {}\ndigest             {}\n", summary.checkpoint, summary.digest);
}

int run_train(const CommandInput& input) {
  if (input.options.count("keys") != 0) {
    if (input.comm->is_root()) fmt::print("{}", describe_keys());
    return 0;
  }
  const Communicator& comm = *input.comm;
  const auto started = std::chrono::steady_clock::now();
  const RunConfig run = read_run(comm, input);
  input.watchdog->set_timeout(run.train.stall_timeout, "train.stall_timeout");
  const bool quiet = input.options.count("quiet") != 0;
  ConsoleProgress progress(quiet);
  FitOptions options;
  comm.together([&] { options.output = output_of(input, run); });
  options.resume = input.options.count("resume") != 0;
  options.overwrite = input.options.count("overwrite") != 0;
  options.dry_run = input.options.count("dry-run") != 0;
  options.log = console_log(quiet);
  options.observer = &progress;
  options.stop_wanted = stop_signal_came;
  options.started = started;
  const FitSummary summary = fit(comm, run, options);
  if (comm.is_root() && summary.trained) print_result(summary);
  if (!summary.failure.empty()) throw Error(ErrorKind::io, summary.failure).as_agreed();
  return summary.stopped ? kStoppedEarly : 0;
}

}  // namespace

Command train_command() {
  return {"train",
          "RUN.toml",
          "Trains the net of a run file.",
          "mpirun -n 4 lockstep train run.toml --set train.epochs=50 --output runs/a",
          true,
          true,
          {{"set", OptionKind::list, "KEY=VALUE", "", "overrides a key of the run file; may be given again"},
           {"output", OptionKind::text, "DIR", "", "the run folder (default: runs/NAME)"},
           {"resume", OptionKind::flag, "", "", "goes on from the newest good checkpoint of the run folder"},
           {"overwrite", OptionKind::flag, "", "", "starts afresh in a folder that holds checkpoints"},
           {"dry-run", OptionKind::flag, "", "", "checks everything, tells sizes and steps, writes nothing"},
           {"quiet", OptionKind::flag, "", "", "no progress; warnings and notices stay"},
           {"keys", OptionKind::flag, "", "", "lists the keys of a run file and stops"}},
          run_train};
}

}  // namespace lockstep::cli
