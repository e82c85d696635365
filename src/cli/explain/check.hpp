// explain --check: every gradient against central differences.
#pragma once

#include <cstdint>

#include "cli/command.hpp"
#include "cli/subject.hpp"

namespace lockstep::cli {

/// Compares the training's gradients over some samples with central differences, the weights dealt out to the ranks,
/// and prints a table by parameter. Returns the exit code: 1 where one is off by more than --tolerance.
/// Collective. Errors, agreed: usage, config, data.
[[nodiscard]] int explain_check(const CommandInput& input, Subject& subject);

/// --sample. Errors: usage.
[[nodiscard]] std::uint32_t chosen_sample(const CommandInput& input);

}  // namespace lockstep::cli
