// A net taken from a checkpoint by all ranks.
#pragma once

#include "cli/command.hpp"
#include "comm/communicator.hpp"
#include "net/stored_net.hpp"

namespace lockstep::cli {

/// The checkpoint named by the command's argument; rank 0 reads.
/// Collective. Errors: usage, data; on every rank.
[[nodiscard]] StoredNet load_net(const Communicator& comm, const CommandInput& input);

}  // namespace lockstep::cli
