// The run file that a command is given, and where its run writes.
#pragma once

#include <string>
#include <vector>

#include "cli/command.hpp"
#include "lockstep/run_config.hpp"

namespace lockstep::cli {

/// The run of the command's run file, with its --set. Rank 0 reads the file, so that every rank has the same.
/// Collective. Errors, agreed: usage, config, data.
[[nodiscard]] RunConfig read_run(const CommandInput& input);

/// What --set says, KEY=VALUE each.
[[nodiscard]] std::vector<std::string> overrides_of(const CommandInput& input);

/// Makes the run's data paths absolute: beside the run file, or in the working directory.
/// Local. Errors: data, naming all places looked at.
void resolve_run_paths(const CommandInput& input, RunConfig& run);

/// --output, or the folder that the run's name gives. Errors: usage, config.
[[nodiscard]] std::string output_of(const CommandInput& input, const RunConfig& run);

}  // namespace lockstep::cli
