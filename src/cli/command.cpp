#include "cli/command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "checkpoint/retention.hpp"

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

std::string chosen_checkpoint(const CommandInput& input) {
  if (input.arguments.empty()) throw Error(ErrorKind::usage, "a checkpoint or run folder is needed; see --help");
  return checkpoint_file(input.arguments[0]);
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

int run_and_flush(int (*run)(const CommandInput& input), const CommandInput& input) {
  const int code = run(input);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw Error(ErrorKind::io, fmt::format("the result cannot be written to stdout: {}", std::strerror(errno)));
  }
  return code;
}

int exit_code(ErrorKind kind) noexcept {
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

}  // namespace lockstep::cli
