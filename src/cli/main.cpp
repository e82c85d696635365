// The program: finds the command, starts MPI where the command needs it, and turns errors into one message and an exit
// code for the whole job.
#include <fcntl.h>
#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "cli/command.hpp"
#include "cli/console.hpp"
#include "cli/output.hpp"
#include "cli/signals.hpp"
#include "cli/watchdog.hpp"
#include "comm/communicator.hpp"
#include "comm/cores.hpp"
#include "comm/interfaces.hpp"
#include "comm/launch.hpp"
#include "lockstep/error.hpp"
#include "lockstep/version.hpp"

namespace {

using lockstep::Error;
using lockstep::ErrorKind;
using lockstep::cli::note_stop_signals;
using lockstep::cli::tell;
using lockstep::cli::tell_lines;
using lockstep::cli::tell_message;
using lockstep::cli::Watchdog;

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
    case ErrorKind::config:
    case ErrorKind::data:
      return 2;
    case ErrorKind::diverged:
      return 3;
    default:
      return 1;
  }
}

void print_error(const std::string& message) {
  tell_message("error: " + message);
}

constexpr auto environment = [](const char* name) -> const char* { return std::getenv(name); };

lockstep::Launch launch() {
  return lockstep::read_launch(environment);
}

bool launched_as_root() {
  return launch().rank == 0;
}

// MPI_Init to MPI_Finalize, with the threads that lockstep needs.
class MpiSession {
 public:
  MpiSession(int* argc, char*** argv) {
    int provided = MPI_THREAD_SINGLE;
    lockstep::check_mpi(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
  }
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;
  ~MpiSession() { MPI_Finalize(); }
};

// An error that other ranks do not know of: they may wait for this one, so the job ends here.
[[noreturn]] void abort_job(const lockstep::Communicator& comm, Watchdog& watchdog, const std::string& message,
                            int code) {
  watchdog.say_nothing();
  print_error(comm.size() > 1 ? fmt::format("rank {}: {}", comm.launch_rank(), message) : message);
  MPI_Abort(comm.get(), code);
  std::_Exit(code);
}

// A command's exit code, once all it printed is out: a result that is lost is no success.
int run_and_flush(const lockstep::cli::Command& command, const lockstep::cli::CommandInput& input) {
  const int code = command.run(input);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw Error(ErrorKind::io, fmt::format("the result cannot be written to stdout: {}", std::strerror(errno)));
  }
  return code;
}

int run_without_mpi(const lockstep::cli::Command& command, std::span<const char* const> words) {
  try {
    std::vector<std::string> arguments;
    const auto options = lockstep::cli::parse_options(command, words, arguments);
    return run_and_flush(command, {options, arguments, nullptr, nullptr});
  } catch (const Error& error) {
    if (launched_as_root()) print_error(error.what());
    return exit_code(error.kind());
  } catch (const std::exception& error) {
    if (launched_as_root()) print_error(error.what());
    return 1;
  }
}

int run_with_mpi(const lockstep::cli::Command& command, std::span<const char* const> words, Watchdog& watchdog) {
  lockstep::Communicator comm(MPI_COMM_WORLD, lockstep::Communicator::Order::by_host);
  int code = 0;
  try {
    watchdog.join(comm);
    std::vector<std::string> arguments;
    std::optional<cxxopts::ParseResult> options;
    comm.together([&] { options = lockstep::cli::parse_options(command, words, arguments); });
    code = run_and_flush(command, {*options, arguments, &comm, &watchdog});
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
bool told_split_job(const lockstep::Launch& launch, std::optional<int> ranks) {
  std::string library(MPI_MAX_LIBRARY_VERSION_STRING, '\0');
  int length = 0;
  lockstep::check_mpi(MPI_Get_library_version(library.data(), &length), "MPI_Get_library_version");
  library.resize(static_cast<std::size_t>(length));
  const auto split = lockstep::find_split_job(launch, ranks, library);
  if (split && launch.rank == 0) print_error(*split);
  return split.has_value();
}

int world_size() {
  int size = 0;
  lockstep::check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size), "MPI_Comm_size");
  return size;
}

const lockstep::cli::Command* find_command(std::string_view name) {
  for (const auto& command : lockstep::cli::commands()) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

}  // namespace

// A file that is opened at the number of a closed standard stream would get what is printed, and processes that MPI
// starts would be stopped by it for ever.
void open_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    if (open("/dev/null", O_RDWR) != fd) std::_Exit(1);  // the lowest number that is free
  }
}

int main(int argc, char** argv) {
  open_standard_streams();
  lockstep::cli::ignore_file_size_signal();
  // A pool of threads would be started for all cores; train.threads asks for what a run wants.
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  const std::span<char* const> words(argv, static_cast<std::size_t>(argc));
  const std::string_view name = argc > 1 ? words[1] : "";
  if (name == "--version") {
    if (launched_as_root()) tell("lockstep {}\n", lockstep::kVersion);
    return 0;
  }
  const auto* command = find_command(name);
  if (command == nullptr) {
    const bool help = name == "--help" || name == "-h";
    if (launched_as_root()) {
      if (help) tell_lines(lockstep::cli::program_help());
      if (!help && name.empty()) std::fputs(lockstep::cli::program_help().c_str(), stderr);
      if (!help)
        print_error(name.empty() ? "a command is needed"
                                 : fmt::format("unknown command \"{}\"; known commands: {}", name,
                                               lockstep::cli::command_names()));
    }
    return help ? 0 : 2;
  }
  for (const char* word : words.subspan(2)) {
    if (std::string_view(word) == "--help" || std::string_view(word) == "-h") {
      if (launched_as_root()) tell_lines(lockstep::cli::command_help(*command));
      return 0;
    }
  }
  const std::vector<const char*> rest(words.begin() + 1, words.end());
  if (!command->uses_mpi) return run_without_mpi(*command, rest);
  if (command->heeds_stop_signals) note_stop_signals();  // before MPI's start, which takes a while
  try {
    const lockstep::Launch launched = launch();
    if (told_split_job(launched, {})) return 2;
    Watchdog watchdog(launched.rank);  // over MPI's start and end too
    const MpiSession session(&argc, &argv);
    if (told_split_job(launched, world_size())) return 2;
    if (launched.several_hosts) {
      watchdog.mpi_has_started(
          lockstep::network_advice(lockstep::list_interfaces(), lockstep::host_name(), environment));
    }
    return run_with_mpi(*command, rest, watchdog);
  } catch (const std::exception& error) {
    print_error(error.what());
    return 1;
  }
}
