// A command and its options: what it is called and takes, its words taken apart, and how it ends.
#pragma once

// A value with commas, e.g. --set optimizer.betas=[0.9,0.99], is one value.
#define CXXOPTS_VECTOR_DELIMITER '\0'
#define CXXOPTS_NO_REGEX  // its own parser; <regex> takes seconds to compile
#include <cxxopts.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/error.hpp"

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
  std::vector<OptionSpec> options = {};
  /// Returns the exit code. Results go to stdout. Null: MPI ranks run it, see ranks.hpp.
  int (*run)(const CommandInput& input) = nullptr;
  bool heeds_stop_signals = false;  ///< saves and stops, see signals.hpp

  [[nodiscard]] bool uses_mpi() const noexcept { return run == nullptr; }
};

/// The checkpoint that the command's argument names: itself, or the newest of a run folder. Errors: usage, data.
[[nodiscard]] std::string chosen_checkpoint(const CommandInput& input);

/// A command's words, parsed. Errors: usage, naming the option.
[[nodiscard]] cxxopts::ParseResult parse_options(const Command& command, std::span<const char* const> words,
                                                 std::vector<std::string>& arguments);

/// What `run` returns, once all it printed is out: a result that is lost is no success.
/// Errors: io (it cannot be written), and those of `run`.
[[nodiscard]] int run_and_flush(int (*run)(const CommandInput& input), const CommandInput& input);

/// What the program ends with after an error.
[[nodiscard]] int exit_code(ErrorKind kind) noexcept;

}  // namespace lockstep::cli
