// On what a run computes, for those who read of it later.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "comm/communicator.hpp"
#include "compute/compute.hpp"

namespace lockstep {

/// Kernels, vectors, versions, and of each host its ranks, the cores that they may use and its processor.
/// The same on all ranks. Collective.
[[nodiscard]] nlohmann::ordered_json describe_machine(const Communicator& comm, const Compute& compute);

}  // namespace lockstep
