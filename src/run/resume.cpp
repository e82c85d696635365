#include "run/resume.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "checkpoint/retention.hpp"
#include "compute/probe.hpp"
#include "config/run_file.hpp"
#include "core/vector_math.hpp"
#include "data/file_prints.hpp"
#include "lockstep/error.hpp"
#include "model/class_weights.hpp"
#include "model/loss.hpp"
#include "run/steering.hpp"

namespace lockstep {

namespace {

// Errors: config, where `info` holds the state of its best checkpoint and `run` is to go on: it goes on from what was
// before, as if it had never ended.
void check_not_restored(const CheckpointInfo& info, const RunConfig& run, const std::string& path) {
  if (!info.restored) return;
  Steering steering(run, *make_loss(run.model.loss), static_cast<std::size_t>(info.outputs));
  steering.follow(info.history);
  if (steering.finished(info.position)) return;
  throw Error(ErrorKind::config,
              fmt::format("{} holds the weights of step {}, with which the run has ended as the best; the run is now "
                          "longer, and goes on from a checkpoint before that",
                          path, info.restored->step));
}

// Errors: data, config. Of `file` that verifies: whether it is a checkpoint of `run` to go on from.
void check_belongs(const Checkpoint& checkpoint, const CheckpointFile& file, RunConfig run) {
  const CheckpointInfo& info = checkpoint.info;
  if (info.position.step != file.step) {
    throw Error(ErrorKind::data,
                fmt::format("{} holds step {}: it was renamed or copied", file.path, info.position.step));
  }
  std::vector<std::string> ignored;
  check_resumable(info, run, file.path, ignored);
  check_not_restored(info, run, file.path);
}

// What a run has started with has happened: it stays in the run as it was. It was a name that need not be there any
// more: a folder of checkpoints, or relative.
void keep_initial(const RunConfig& before, RunConfig& now, std::vector<std::string>& notices) {
  if (now.model.initial && before.model.initial.value_or("").find(*now.model.initial) == std::string::npos) {
    notices.push_back(fmt::format(
        "model.initial = \"{}\" is not read on resume: the weights are those of the checkpoint", *now.model.initial));
  }
  now.model.initial = before.model.initial;
}

}  // namespace

FoundCheckpoint find_newest_good(const std::string& folder, const RunConfig& run, const std::function<void()>& alive) {
  FoundCheckpoint found;
  std::optional<Error> of_another_run;
  for (const CheckpointFile& file : list_checkpoints(folder)) {
    try {
      Checkpoint checkpoint = read_checkpoint(file.path, alive);
      check_belongs(checkpoint, file, run);
      found.checkpoint = std::move(checkpoint);
      found.path = file.path;
      return found;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::config && !of_another_run) of_another_run = error;
      if (error.kind() != ErrorKind::data && error.kind() != ErrorKind::io && error.kind() != ErrorKind::config) throw;
      found.skipped.push_back(fmt::format("skipped a checkpoint: {}", error.what()));
    }
  }
  if (of_another_run) throw *of_another_run;
  return found;
}

void restore_best(Engine& engine, const std::string& folder) {
  const Best best = engine.info.best.value();
  const std::string path = checkpoint_path(folder, best.step);
  const Communicator& comm = engine.comm();
  std::optional<Checkpoint> read;
  comm.at_root([&] {
    comm.pulse().enter(Phase::reading);
    read = read_checkpoint(path, [&] { comm.pulse().beat(); });
    check_belongs(*read, {best.step, path}, engine.run());
  });
  engine.take_arrays(read ? &*read : nullptr, path);
  engine.info.restored = Restored{.step = best.step, .epoch = best.epoch};
}

void check_resumable(const CheckpointInfo& kept, RunConfig& now, const std::string& path,
                     std::vector<std::string>& notices) {
  RunConfig before = parse_run(kept.run, path + ":/run");
  if (before.data.load == "auto") before.data.load = "memory";  // of a version that knew nothing else
  if (now.data.load == "auto") now.data.load = before.data.load;
  if (!now.data.block) now.data.block = before.data.block;
  if (!now.train.shards) now.train.shards = before.train.shards;
  if (!now.optimizer.lr && now.optimizer.type == before.optimizer.type) now.optimizer.lr = before.optimizer.lr;
  take_class_weights(now.model.loss, before.model.loss);
  keep_initial(before, now, notices);
  const RunDifference difference = compare_runs(before, now);
  if (!difference.forbidden.empty()) {
    std::vector<std::string> texts;
    for (const KeyValue& entry : difference.forbidden) texts.push_back(fmt::format("{}: {}", entry.key, entry.value));
    throw Error(ErrorKind::config,
                fmt::format("{} is the checkpoint of another run; these must not change on resume: {}", path,
                            fmt::join(texts, "; ")));
  }
  for (const KeyValue& entry : difference.allowed) {
    std::string notice = fmt::format("changed on resume: {}: {}", entry.key, entry.value);
    if (entry.key == "train.threads") notice += " (another thread count gives other bits)";
    if (entry.key == "train.exchange") notice += " (\"allreduce\" gives bits that depend on the rank count)";
    if (entry.key == "train.wire") notice += " (\"bfloat16\" gives bits that depend on which host has which shards)";
    notices.push_back(notice);
  }
}

std::vector<std::string> machine_differences(const CheckpointInfo& kept, const Compute& compute) {
  std::vector<std::string> texts;
  if (!kept.probe.empty()) {
    const std::vector<std::string> unlike = unlike_kernels(kept.probe, probe_kernels(compute));
    if (unlike.empty()) return {};
    return {
        fmt::format("the checkpoint was computed with {}, this machine uses {}, which compute other bits ({}): the "
                    "run goes on, but not to the bits it would have had there",
                    machine_code(kept.blas_kernel, kept.simd_target), machine_code(compute.kernel(), simd_target()),
                    fmt::join(unlike, ", "))};
  }
  // Of a program that kept names alone.
  const auto compare = [&](const char* what, const std::string& then, const std::string& here) {
    if (then != here) {
      texts.push_back(
          fmt::format("the checkpoint was computed with the {} {}, this machine uses {}: the run goes on, "
                      "but not to the bits it would have had there",
                      what, then, here));
    }
  };
  compare("BLAS kernel", kept.blas_kernel, compute.kernel());
  compare("SIMD target", kept.simd_target, simd_target());
  return texts;
}

void check_same_fingerprints(const CheckpointInfo& kept, const Dataset& train, const Dataset* test) {
  const auto check = [&](const char* key, const std::string& before, const Dataset* data,
                         const std::vector<std::string>& files) {
    const std::string now = data != nullptr ? data->fingerprint : "";
    if (before == now) return;
    const std::string changes = data != nullptr ? changed_files(files, data->files) : "";
    throw Error(ErrorKind::data,
                fmt::format("{}: {} is not the data that the run was started on (fingerprint {}, now {}){}", key,
                            data != nullptr ? data->source : "no data", before.empty() ? "none" : before,
                            now.empty() ? "none" : now, changes.empty() ? "" : ": " + changes));
  };
  check("data.train", kept.train_fingerprint, &train, kept.train_files);
  check("data.test", kept.test_fingerprint, test, kept.test_files);
}

}  // namespace lockstep
