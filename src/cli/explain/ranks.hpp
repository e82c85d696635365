// explain --ranks: one step, shard by shard.
#pragma once

#include "cli/command.hpp"
#include "cli/subject.hpp"

namespace lockstep::cli {

/// Makes the next step of the subject's run, and prints each shard's gradient of the weight (--weight, or the first of
/// the last layer), the tree in which they are added, and what every rank then has. Returns the exit code.
/// Collective. Errors, agreed: usage, data, diverged.
[[nodiscard]] int explain_ranks(const CommandInput& input, Subject& subject);

}  // namespace lockstep::cli
