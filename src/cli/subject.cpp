#include "cli/subject.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

#include "checkpoint/retention.hpp"
#include "cli/console.hpp"
#include "cli/run_input.hpp"
#include "cli/watchdog.hpp"
#include "config/run_file.hpp"
#include "io/places.hpp"
#include "run/resume.hpp"
#include "step/shared_info.hpp"

namespace lockstep::cli {
namespace {

// A folder, or an HDF5 file; everything else is read as a run file, which says what is wrong with it.
bool is_checkpoint(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return true;
  if (!other_than_file(path).empty()) return path.ends_with(".h5");  // reading from a pipe would wait
  constexpr std::string_view kHdf5 = "\x89HDF\r\n\x1a\n";
  std::array<char, kHdf5.size()> head{};
  std::ifstream file(path, std::ios::binary);
  return file.read(head.data(), head.size()) && std::string_view(head.data(), head.size()) == kHdf5;
}

std::optional<Checkpoint> read_stored(const Communicator& comm, const CommandInput& input, std::string& path) {
  std::optional<Checkpoint> read;
  comm.together([&] {
    if (input.arguments.empty()) {
      throw Error(ErrorKind::usage, "a run file, a checkpoint or a run folder is needed; see --help");
    }
    if (!comm.is_root() || !is_checkpoint(input.arguments[0])) return;
    path = checkpoint_file(input.arguments[0]);
    comm.pulse().enter(Phase::reading);
    read = read_checkpoint(path, [&] { comm.pulse().beat(); });
  });
  path = comm.broadcast_text(path);
  return read;
}

}  // namespace

Subject open_subject(const CommandInput& input, bool more_shards) {
  const Communicator& comm = *input.comm;
  Subject subject;
  std::optional<Checkpoint> read = read_stored(comm, input, subject.name);  // rank 0
  const std::optional<CheckpointInfo> kept = share_info(comm, read ? &*read : nullptr, subject.name);
  RunConfig run;
  if (kept) {
    comm.together([&] {
      run = parse_run(kept->run, subject.name + ":/run", overrides_of(input));
      run.model.initial.reset();  // the checkpoint has the weights
      resolve_paths(run, std::array<std::string, 1>{"."});
    });
  } else {
    subject.name = input.arguments[0];
    run = read_run(input);
    comm.together([&] { resolve_run_paths(input, run); });
  }
  if (more_shards && run.train.shards) run.train.shards = std::max<std::int64_t>(*run.train.shards, comm.size());
  input.watchdog->set_timeout(run.train.stall_timeout, "train.stall_timeout");
  ConsoleProgress silent(true);
  FitOptions options;
  options.log = [&](LogLevel level, std::string_view text) {
    if (level == LogLevel::warning) console_log(true, silent)(level, text);
  };
  subject.prepared = prepare_run(comm, run, options, "");
  if (kept) {
    const RunData& data = subject.prepared.data;
    comm.together([&] { check_same_fingerprints(*kept, data.train, data.test ? &*data.test : nullptr); });
    PreparedRun& prepared = subject.prepared;
    prepared.engine->load(read ? &*read : nullptr, subject.name);
    prepared.steering->follow(prepared.info().history);  // plateaus so far lower the learning rate
    prepared.engine->set_base_lr(prepared.steering->base_lr());
  }
  return subject;
}

}  // namespace lockstep::cli
