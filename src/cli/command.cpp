#include "cli/command.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lockstep/error.hpp"

namespace lockstep::cli {
namespace {

std::shared_ptr<cxxopts::Value> value_of(const OptionSpec& option) {
  std::shared_ptr<cxxopts::Value> value;
  switch (option.kind) {
    case OptionKind::flag:
      return cxxopts::value<bool>();
    case OptionKind::integer:
      value = cxxopts::value<std::int64_t>();
      break;
    case OptionKind::number:
      value = cxxopts::value<double>();
      break;
    case OptionKind::list:
      value = cxxopts::value<std::vector<std::string>>();
      break;
    case OptionKind::text:
      value = cxxopts::value<std::string>();
      break;
  }
  return option.fallback.empty() ? value : value->default_value(std::string(option.fallback));
}

}  // namespace

std::span<const Command> commands() {
  static const std::vector<Command> all{train_command(),  evaluate_command(), inspect_command(), import_command(),
                                        export_command(), bench_command(),    doctor_command(),  report_command()};
  return all;
}

std::string command_names() {
  std::string names;
  for (const Command& command : commands()) names += fmt::format("{}{}", names.empty() ? "" : ", ", command.name);
  return names;
}

std::string program_help() {
  std::string text =
      "lockstep trains neural networks data-parallel over MPI ranks.\n\nUsage: [mpirun -n RANKS] lockstep COMMAND "
      "...\n\n";
  for (const Command& command : commands()) text += fmt::format("  {:<10}{}\n", command.name, command.what);
  text += "\n  --help     this text; `lockstep COMMAND --help` tells more\n  --version  the version\n";
  text += "\nExample: mpirun -n 2 lockstep train launch/runs/digits.toml\n";
  return text;
}

std::string command_help(const Command& command) {
  std::string text =
      fmt::format("{}\n\nUsage: {}lockstep {} {}{}\n\n", command.what, command.uses_mpi ? "[mpirun -n RANKS] " : "",
                  command.name, command.arguments, command.arguments.empty() ? "[options]" : " [options]");
  for (const OptionSpec& option : command.options) {
    const std::string left = fmt::format("--{}{}{}", option.name, option.argument.empty() ? "" : " ", option.argument);
    const std::string fallback = option.fallback.empty() ? "" : fmt::format(" (default: {})", option.fallback);
    text += fmt::format("  {:<22}{}{}\n", left, option.what, fallback);
  }
  text += fmt::format("  {:<22}{}\n", "--help", "this text");
  return text + fmt::format("\nExample: {}\n", command.example);
}

cxxopts::ParseResult parse_options(const Command& command, std::span<const char* const> words,
                                   std::vector<std::string>& arguments) {
  cxxopts::Options options("lockstep " + std::string(command.name));
  for (const OptionSpec& option : command.options) {
    options.add_options()(std::string(option.name), std::string(option.what), value_of(option));
  }
  options.add_options()("arguments", "", cxxopts::value<std::vector<std::string>>());
  options.parse_positional("arguments");
  const auto spaces = std::count(command.arguments.begin(), command.arguments.end(), ' ');
  const std::size_t wanted = command.arguments.empty() ? 0 : static_cast<std::size_t>(spaces) + 1;
  try {
    cxxopts::ParseResult result = options.parse(static_cast<int>(words.size()), words.data());
    if (result.count("arguments") != 0) arguments = result["arguments"].as<std::vector<std::string>>();
    if (arguments.size() > wanted && !command.arguments.ends_with("...")) {
      throw Error(ErrorKind::usage,
                  fmt::format("{} takes {}, found \"{}\" besides", command.name,
                              wanted == 0 ? "options only" : std::string(command.arguments), arguments[wanted]));
    }
    return result;
  } catch (const cxxopts::exceptions::exception& error) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: {}; see lockstep {} --help", command.name, error.what(), command.name));
  }
}

}  // namespace lockstep::cli
