// The program: finds the command and runs it, or hands it over to the library that knows MPI; turns errors into one
// message and an exit code.
#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "cli/help.hpp"
#include "cli/output.hpp"
#include "cli/ranks.hpp"
#include "cli/signals.hpp"
#include "comm/launch.hpp"
#include "lockstep/version.hpp"

namespace {

namespace fs = std::filesystem;
using lockstep::Error;
using lockstep::ErrorKind;
using lockstep::cli::Command;
using lockstep::cli::tell;
using lockstep::cli::tell_lines;
using lockstep::cli::tell_message;

void print_error(const std::string& message) {
  tell_message("error: " + message);
}

lockstep::Launch launch() {
  return lockstep::read_launch([](const char* name) -> const char* { return std::getenv(name); });
}

bool launched_as_root() {
  return launch().rank == 0;
}

int run_alone(const Command& command, std::span<const char* const> words) {
  try {
    std::vector<std::string> arguments;
    const auto options = lockstep::cli::parse_options(command, words, arguments);
    return lockstep::cli::run_and_flush(command.run, {options, arguments, nullptr, nullptr});
  } catch (const Error& error) {
    if (launched_as_root()) print_error(error.what());
    return lockstep::cli::exit_code(error.kind());
  } catch (const std::exception& error) {
    if (launched_as_root()) print_error(error.what());
    return 1;
  }
}

// Where the library of what ranks run lies: beside the program, or where it is installed.
fs::path ranks_library() {
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  const fs::path installed = (folder / LOCKSTEP_RANKS_LIBRARY).lexically_normal();
  for (const fs::path& library : {folder / installed.filename(), installed}) {
    if (fs::exists(library)) return library;
  }
  throw Error(ErrorKind::io,
              fmt::format("{} is neither in {} nor in {}; the program needs it for MPI: build or install "
                          "both, and link to the program in place of copying it",
                          installed.filename().string(), folder.string(), installed.parent_path().string()));
}

decltype(&lockstep_run_on_ranks) load_ranks(const Command& command) {
  // Global, for Open MPI's parts look up the rest of it among what the whole process sees.
  void* library = dlopen(ranks_library().c_str(), RTLD_NOW | RTLD_GLOBAL);
  void* entry = library == nullptr ? nullptr : dlsym(library, "lockstep_run_on_ranks");
  if (entry == nullptr) {
    throw Error(ErrorKind::io,
                fmt::format("{} needs MPI, which cannot be loaded: {}; is the MPI that lockstep was built with "
                            "installed? Is memory limited (ulimit -v)?",
                            command.name, dlerror()));
  }
  return reinterpret_cast<decltype(&lockstep_run_on_ranks)>(entry);
}

int run_on_ranks(const Command& command, int argc, char** argv) {
  decltype(&lockstep_run_on_ranks) run = nullptr;
  try {
    run = load_ranks(command);
  } catch (const std::exception& error) {
    // What a host lacks, one of its ranks tells; others that end sooner would take its time away, for mpirun ends all.
    if (launch().local_rank == 0)
      print_error(error.what());
    else
      sleep(1);
    return 1;
  }
  return run(command, argc, argv);
}

const Command* find_command(std::string_view name) {
  for (const auto& command : lockstep::cli::commands()) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

// A file that is opened at the number of a closed standard stream would get what is printed, and processes that MPI
// starts would be stopped by it for ever.
void open_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    if (open("/dev/null", O_RDWR) != fd) std::_Exit(1);  // the lowest number that is free
  }
}

}  // namespace

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
  if (command->uses_mpi()) return run_on_ranks(*command, argc, argv);
  return run_alone(*command, std::vector<const char*>(words.begin() + 1, words.end()));
}
