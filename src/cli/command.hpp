// One table of commands and their options: parsing, help and documentation come from it.
#pragma once

// A value with commas, e.g. --set optimizer.betas=[0.9,0.99], is one value.
#define CXXOPTS_VECTOR_DELIMITER '\0'
#define CXXOPTS_NO_REGEX  // its own parser; <regex> takes seconds to compile
#include <cxxopts.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {
class Communicator;
}

namespace lockstep::cli {

enum class OptionKind { flag, text, integer, number, list };

struct OptionSpec {
  std::string_view name;  ///< "output"
  OptionKind kind = OptionKind::flag;
  std::string_view argument;  ///< "DIR"; empty for flags
  std::string_view fallback;  ///< default value as text; empty: none
  std::string_view what;
  std::vector<std::string_view> choices = {};  ///< the values that it may have; empty: any
};

class Watchdog;

/// What a command may use. `comm` and `watchdog` are null for commands that run without MPI.
struct CommandInput {
  const cxxopts::ParseResult& options;
  const std::vector<std::string>& arguments;  ///< positional
  const Communicator* comm = nullptr;
  Watchdog* watchdog = nullptr;
};

struct Command {
  std::string_view name;
  /// "RUN.toml"; at most as many as it has words, any number where it ends in "...". A word in small letters is what it
  /// must be.
  std::string_view arguments;
  std::string_view what;
  std::string_view example;
  bool uses_mpi = false;
  bool heeds_stop_signals = false;  ///< saves and stops, see signals.hpp
  std::vector<OptionSpec> options;
  /// Returns the exit code. Results go to stdout, from rank 0 alone.
  int (*run)(const CommandInput& input);
};

// One a file.
[[nodiscard]] Command train_command();
[[nodiscard]] Command evaluate_command();
[[nodiscard]] Command predict_command();
[[nodiscard]] Command inspect_command();
[[nodiscard]] Command export_command();
[[nodiscard]] Command bench_command();
[[nodiscard]] Command doctor_command();
[[nodiscard]] Command explain_command();
[[nodiscard]] Command landscape_command();
[[nodiscard]] Command import_command();
[[nodiscard]] Command completion_command();
[[nodiscard]] Command manual_command();
[[nodiscard]] Command report_command();

[[nodiscard]] std::span<const Command> commands();

/// "train, evaluate, ...".
[[nodiscard]] std::string command_names();

struct ExitCode {
  int code = 0;
  std::string_view meaning;
};

[[nodiscard]] std::span<const ExitCode> exit_codes();

/// Help of the program, or of one command: lines of at most 80 characters.
[[nodiscard]] std::string program_help();
[[nodiscard]] std::string command_help(const Command& command);

/// A command's words, parsed. Errors: usage, naming the option.
[[nodiscard]] cxxopts::ParseResult parse_options(const Command& command, std::span<const char* const> words,
                                                 std::vector<std::string>& arguments);

}  // namespace lockstep::cli
