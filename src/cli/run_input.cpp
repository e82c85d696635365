#include "cli/run_input.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "comm/communicator.hpp"
#include "config/run_file.hpp"
#include "io/files.hpp"
#include "lockstep/error.hpp"

namespace lockstep::cli {

std::vector<std::string> overrides_of(const CommandInput& input) {
  if (input.options.count("set") == 0) return {};
  return input.options["set"].as<std::vector<std::string>>();
}

RunConfig read_run(const CommandInput& input) {
  const Communicator& comm = *input.comm;
  std::string text;
  comm.together([&] {
    if (!comm.is_root()) return;
    const std::vector<std::byte> bytes = read_file(input.arguments[0]);
    text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
  text = comm.broadcast_text(text);
  RunConfig run;
  comm.together([&] { run = parse_run(text, input.arguments[0], overrides_of(input)); });
  return run;
}

void resolve_run_paths(const CommandInput& input, RunConfig& run) {
  const std::string beside = std::filesystem::path(input.arguments[0]).parent_path().string();
  const std::vector<std::string> folders{beside.empty() ? "." : beside, "."};
  resolve_paths(run, folders);
}

std::string output_of(const CommandInput& input, const RunConfig& run) {
  if (input.options.count("output") != 0) {
    const auto output = input.options["output"].as<std::string>();
    if (output.empty()) throw Error(ErrorKind::usage, "--output: expected a folder, found nothing");
    return output;
  }
  if (run.name.empty() || run.name == "." || run.name == ".." || run.name.find('/') != std::string::npos) {
    throw Error(
        ErrorKind::config,
        fmt::format("name: expected a name for the folder runs/NAME, found \"{}\"; or give --output", run.name));
  }
  return "runs/" + run.name;
}

}  // namespace lockstep::cli
