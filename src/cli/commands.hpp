// The table of commands.
#pragma once

#include <span>

#include "cli/command.hpp"

namespace lockstep::cli {

// Those that need no MPI, one a file.
[[nodiscard]] Command inspect_command();
[[nodiscard]] Command import_command();
[[nodiscard]] Command new_command();
[[nodiscard]] Command export_command();
[[nodiscard]] Command report_command();
[[nodiscard]] Command completion_command();
[[nodiscard]] Command manual_command();

/// All, in the order in which they are told.
[[nodiscard]] std::span<const Command> commands();

}  // namespace lockstep::cli
