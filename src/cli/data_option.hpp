// The data that a command is to use with a stored net: some that an option names, or those of the net's run.
#pragma once

#include <string>

#include "cli/command.hpp"
#include "lockstep/run_config.hpp"

namespace lockstep::cli {

/// What option `name` says: "FILE.h5:/group" or another file as it stands, or as a run file says it, a list or table in
/// TOML; of an HDF5 file alone the root where it
/// holds x, else the group of --split. Without the option the run's data of --split, which is then train or test.
/// Local. Errors: usage.
[[nodiscard]] DataSource chosen_data(const CommandInput& input, const char* name, const RunConfig& run);

}  // namespace lockstep::cli
