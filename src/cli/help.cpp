#include "cli/help.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep::cli {
namespace {

constexpr std::size_t kWidth = 80;  // of a terminal

// Lines of words, each behind `indent` blanks but for the first; ends the last one too.
std::string wrapped(std::string_view words, std::size_t indent) {
  std::string text;
  std::size_t column = indent;
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(' '));
    words.remove_prefix(std::min(words.size(), word.size() + 1));
    if (column > indent && column + 1 + word.size() > kWidth) {
      text += '\n' + std::string(indent, ' ');
      column = indent;
    }
    text += column > indent ? " " : "";
    column += word.size() + (column > indent ? 1 : 0);
    text += word;
  }
  return text + '\n';
}

// A line of a list: what it is about in a column of `width`, and what it means.
std::string row(std::string_view left, std::size_t width, std::string_view what) {
  return fmt::format("  {:<{}}{}{}", left, width, left.size() < width ? "" : "  ", wrapped(what, width + 2));
}

}  // namespace

std::string command_names() {
  std::string names;
  for (const Command& command : commands()) names += fmt::format("{}{}", names.empty() ? "" : ", ", command.name);
  return names;
}

std::span<const ExitCode> exit_codes() {
  static constexpr ExitCode codes[] = {
      {0, "done; also when --resume finds nothing left to do"},
      {1,
       "the last state could not be saved; the system refused (MPI failed, a full disk, out of memory); explain "
       "--check found a gradient that is off; or a bug"},
      {2,
       "bad usage, run file, data or checkpoint; more memory is needed than there is; doctor has found what would stop "
       "a run"},
      {3, "the training diverged: a loss, a gradient or the weights are not finite"},
      {4, "a rank was silent for too long, or is gone"},
      {75, "stopped early by a signal or the time limit, with everything saved: start it again with --resume"},
  };
  return codes;
}

std::string program_help() {
  std::string text =
      "lockstep trains neural networks data-parallel over MPI ranks.\n\nUsage: [mpirun -n RANKS] lockstep COMMAND "
      "...\n\n";
  for (const Command& command : commands()) text += row(command.name, 12, command.what);
  text +=
      "\n" + row("--help", 12, "this text; `lockstep COMMAND --help` tells more") + row("--version", 12, "the version");
  text += "\nExample: mpirun -n 2 lockstep train launch/runs/digits.toml\n";
  return text;
}

std::string command_help(const Command& command) {
  std::string text = wrapped(command.what, 0);
  text += fmt::format("\nUsage: {}lockstep {} {}{}\n\n", command.uses_mpi() ? "[mpirun -n RANKS] " : "", command.name,
                      command.arguments,
                      command.options.empty()     ? ""
                      : command.arguments.empty() ? "[options]"
                                                  : " [options]");
  for (const OptionSpec& option : command.options) {
    const std::string left = fmt::format("--{}{}{}", option.name, option.argument.empty() ? "" : " ", option.argument);
    const std::string fallback = option.fallback.empty() ? "" : fmt::format(" (default: {})", option.fallback);
    text += row(left, 22, fmt::format("{}{}", option.what, fallback));
  }
  text += row("--help", 22, "this text");
  return text + fmt::format("\nExample: {}\n", command.example);
}

}  // namespace lockstep::cli
