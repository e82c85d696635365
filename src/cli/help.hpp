// What --help prints, from the table of commands.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/commands.hpp"

namespace lockstep::cli {

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

}  // namespace lockstep::cli
