// lockstep train: a run file to a trained net.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/retention.hpp"
#include "cli/console.hpp"
#include "cli/output.hpp"
#include "cli/ranks.hpp"
#include "cli/run_input.hpp"
#include "cli/run_keys.hpp"
#include "cli/signals.hpp"
#include "cli/watchdog.hpp"
#include "comm/communicator.hpp"
#include "config/run_file.hpp"
#include "core/number_text.hpp"
#include "layers/layer_table.hpp"
#include "model/loss_table.hpp"
#include "optim/optimizer.hpp"
#include "optim/schedule.hpp"
#include "run/fit.hpp"

namespace lockstep::cli {
namespace {

constexpr int kStoppedEarly = 75;  // EX_TEMPFAIL of sysexits.h: try again

void print_result(const FitSummary& summary, const std::string& folder) {
  const bool stepped = summary.samples_per_second > 0;  // else only what was left of an epoch: its scores
  tell("trained {} ({}) in {}{} on {}\n", count_text(summary.steps, "step"), count_text(summary.epochs, "epoch"),
       format_seconds(summary.seconds), stepped ? fmt::format(", {:.0f} samples/s", summary.samples_per_second) : "",
       count_text(summary.ranks, "rank"));
  std::vector<std::pair<std::string, std::string>> rows;
  const auto row = [&](std::string name, std::string value) { rows.emplace_back(std::move(name), std::move(value)); };
  if (summary.nodes > 1 && stepped) {
    row("between hosts",
        fmt::format("{} waited for, {:.0f} % of the time of steps", format_seconds(summary.communication_seconds),
                    100 * summary.communication_seconds / summary.step_seconds));
  }
  row("train loss", fmt::format("{:.6g}", summary.scores.train_loss));
  for (const auto& [split, scores] : {std::pair{"train", &summary.scores.train},
                                      {"validation", &summary.scores.validation},
                                      {"test", &summary.scores.test}}) {
    if (!*scores) continue;
    for (const auto& [name, value] : (*scores)->named()) {
      const bool is_end = scores == &summary.scores.train && name == "loss";
      row(fmt::format("{} {}", split, is_end ? "end_loss" : name), fmt::format("{:.6g}", value));
    }
  }
  if (summary.best) {
    row("best", fmt::format("{} {:.6g} (epoch {}, step {})", summary.best->monitor, summary.best->value,
                            summary.best->epoch, summary.best->step));
    row("best checkpoint", checkpoint_path(folder + "/checkpoints", summary.best->step));
  }
  if (summary.restored) {
    row("ends with", fmt::format("the state of epoch {}, step {}", summary.restored->epoch, summary.restored->step));
  }
  if (summary.decision) {
    row("threshold", fmt::format("{:.6g} (by {})", summary.decision->threshold, summary.decision->rule));
  }
  row("checkpoint", summary.checkpoint.empty() ? "none saved" : summary.checkpoint);
  row("digest", summary.digest);
  row("folder", folder);
  std::size_t width = 17;
  for (const auto& [name, value] : rows) width = std::max(width, name.size());
  for (const auto& [name, value] : rows) tell("{:<{}}  {}\n", name, width, value);
}

}  // namespace

int run_train(const CommandInput& input) {
  if (input.options.count("keys") != 0) {
    if (input.comm->is_root()) tell_lines(key_lines());
    return 0;
  }
  if (input.options.count("types") != 0) {
    std::string lines;
    for (const LayerType& type : layer_table()) lines += describe("layer", type.info);
    for (const LossType& type : loss_table()) lines += describe("loss", type.info);
    for (const OptimizerType& type : optimizer_table()) lines += describe("optimizer", with_lr(type));
    for (const TypeInfo& type : schedule_types()) lines += describe("schedule", type);
    if (input.comm->is_root()) tell_lines(lines);
    return 0;
  }
  const Communicator& comm = *input.comm;
  const auto started = std::chrono::steady_clock::now();
  comm.together([&] {
    if (input.arguments.empty())
      throw Error(ErrorKind::usage, "train: a run file is needed; see lockstep train --help");
  });
  RunConfig run = read_run(input);
  comm.together([&] { resolve_run_paths(input, run); });
  input.watchdog->set_timeout(run.train.stall_timeout, "train.stall_timeout");
  const bool quiet = input.options.count("quiet") != 0;
  ConsoleProgress progress(quiet);
  FitOptions options;
  comm.together([&] { options.output = output_of(input, run); });
  options.resume = input.options.count("resume") != 0;
  options.overwrite = input.options.count("overwrite") != 0;
  options.dry_run = input.options.count("dry-run") != 0;
  options.log = console_log(quiet, progress);
  options.observer = &progress;
  options.stop_wanted = stop_signal_came;
  options.started = started;
  const FitSummary summary = fit(comm, run, options);
  if (comm.is_root() && summary.trained) print_result(summary, options.output);
  if (!summary.failure.empty()) throw Error(ErrorKind::io, summary.failure).as_agreed();
  return summary.stopped ? kStoppedEarly : 0;
}

}  // namespace lockstep::cli
