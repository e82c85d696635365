// What MPI ranks run. All of it is in a library of its own, lockstep-ranks, which the program loads for these commands:
// the others work where there is no MPI, and do not load it.
#pragma once

#include "cli/command.hpp"

namespace lockstep::cli {

// A command's code, in the file of its name; its description is in commands.cpp.
[[nodiscard]] int run_train(const CommandInput& input);
[[nodiscard]] int run_evaluate(const CommandInput& input);
[[nodiscard]] int run_predict(const CommandInput& input);
[[nodiscard]] int run_bench(const CommandInput& input);
[[nodiscard]] int run_doctor(const CommandInput& input);
[[nodiscard]] int run_explain(const CommandInput& input);
[[nodiscard]] int run_landscape(const CommandInput& input);

}  // namespace lockstep::cli

/// Starts MPI, runs `command` with the program's words and ends MPI; errors are told. Returns the exit code.
/// The one function of the library that the program sees.
extern "C" int lockstep_run_on_ranks(const lockstep::cli::Command& command, int argc, char** argv);
