// What rank 0 has read of a checkpoint, for all ranks.
#pragma once

#include <optional>
#include <string>

#include "checkpoint/checkpoint.hpp"
#include "comm/communicator.hpp"

namespace lockstep {

/// What rank 0 has read, without the arrays, on every rank; unset when `read` is null there. `name` is for messages.
/// Collective.
[[nodiscard]] std::optional<CheckpointInfo> share_info(const Communicator& comm, const Checkpoint* read,
                                                       const std::string& name);

}  // namespace lockstep
