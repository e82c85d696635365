// The program's side of MPI: starts it, runs a command on all ranks, and turns errors into one message and an exit code
// for the whole job.
#include "cli/ranks.hpp"

#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string>

#include "cli/output.hpp"
#include "cli/signals.hpp"
#include "cli/watchdog.hpp"
#include "comm/communicator.hpp"
#include "comm/cores.hpp"
#include "comm/interfaces.hpp"
#include "comm/launch.hpp"

namespace lockstep::cli {
namespace {

using Run = int (*)(const CommandInput& input);

// By the names that commands.cpp gives them.
constexpr std::array<std::pair<std::string_view, Run>, 7> kRuns{{{"train", run_train},
                                                                 {"evaluate", run_evaluate},
                                                                 {"predict", run_predict},
                                                                 {"bench", run_bench},
                                                                 {"doctor", run_doctor},
                                                                 {"explain", run_explain},
                                                                 {"landscape", run_landscape}}};

Run run_of(const Command& command) {
  const auto found = std::ranges::find(kRuns, command.name, [](const auto& entry) { return entry.first; });
  if (found == kRuns.end()) throw Error(ErrorKind::internal, fmt::format("no code for {}", command.name));
  return found->second;
}

void print_error(const std::string& message) {
  tell_message("error: " + message);
}

constexpr auto environment = [](const char* name) -> const char* { return std::getenv(name); };

// MPI_Init to MPI_Finalize, with the threads that lockstep needs.
class MpiSession {
 public:
  MpiSession(int* argc, char*** argv) {
    int provided = MPI_THREAD_SINGLE;
    check_mpi(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
  }
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;
  ~MpiSession() { MPI_Finalize(); }
};

// An error that other ranks do not know of: they may wait for this one, so the job ends here.
[[noreturn]] void abort_job(const Communicator& comm, Watchdog& watchdog, const std::string& message, int code) {
  watchdog.say_nothing();
  print_error(comm.size() > 1 ? fmt::format("rank {}: {}", comm.launch_rank(), message) : message);
  MPI_Abort(comm.get(), code);
  std::_Exit(code);
}

int run_with_mpi(const Command& command, std::span<const char* const> words, Watchdog& watchdog) {
  Communicator comm(MPI_COMM_WORLD, Communicator::Order::by_host);
  int code = 0;
  try {
    watchdog.join(comm);
    std::vector<std::string> arguments;
    std::optional<cxxopts::ParseResult> options;
    comm.together([&] { options = parse_options(command, words, arguments); });
    code = run_and_flush(run_of(command), {*options, arguments, &comm, &watchdog});
  } catch (const Error& error) {
    code = exit_code(error.kind());
    if (!error.agreed()) abort_job(comm, watchdog, error.what(), code);
    if (comm.is_root()) print_error(error.what());
  } catch (const std::bad_alloc&) {
    abort_job(comm, watchdog, "out of memory", 1);
  } catch (const std::exception& error) {
    abort_job(comm, watchdog, error.what(), 1);
  }
  watchdog.leave(comm);
  return code;
}

// Whether the launcher promised ranks that MPI does not see, which is told by the launcher's first task alone.
bool told_split_job(const Launch& launch, std::optional<int> ranks) {
  std::string library(MPI_MAX_LIBRARY_VERSION_STRING, '\0');
  int length = 0;
  check_mpi(MPI_Get_library_version(library.data(), &length), "MPI_Get_library_version");
  library.resize(static_cast<std::size_t>(length));
  const auto split = find_split_job(launch, ranks, library);
  if (split && launch.rank == 0) print_error(*split);
  return split.has_value();
}

int world_size() {
  int size = 0;
  check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size), "MPI_Comm_size");
  return size;
}

int start_and_run(const Command& command, int argc, char** argv) {
  const std::vector<const char*> words(argv + 1, argv + argc);
  const Launch launch = read_launch(environment);
  if (told_split_job(launch, {})) return 2;
  Watchdog watchdog(launch.rank);  // over MPI's start and end too
  const MpiSession session(&argc, &argv);
  if (told_split_job(launch, world_size())) return 2;
  if (launch.several_hosts) {
    watchdog.mpi_has_started(network_advice(list_interfaces(), host_name(), environment));
  }
  return run_with_mpi(command, words, watchdog);
}

}  // namespace
}  // namespace lockstep::cli

int lockstep_run_on_ranks(const lockstep::cli::Command& command, int argc, char** argv) {
  if (command.heeds_stop_signals) lockstep::cli::note_stop_signals();  // before MPI's start, which takes a while
  try {
    return lockstep::cli::start_and_run(command, argc, argv);
  } catch (const std::exception& error) {
    lockstep::cli::print_error(error.what());
    return 1;
  }
}
