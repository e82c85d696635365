// Which cores the ranks may run on, and what is wrong with it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.hpp"

namespace lockstep {

/// The cores that one rank may use: its affinity mask.
struct RankCores {
  std::string host;
  std::vector<int> cores;  ///< ascending
};

/// The cores of every rank, in the order of the ranks, on every rank. Collective.
[[nodiscard]] std::vector<RankCores> gather_cores(const Communicator& comm);

/// What to tell of ranks that compute with `threads` threads each: too few cores on a host for all its ranks, or
/// several ranks bound to the same cores while others are free; each with the mpirun options that mend it. At most one
/// text of either kind, naming the first such host; empty when all is well.
[[nodiscard]] std::vector<std::string> core_warnings(std::span<const RankCores> ranks, std::size_t threads);

/// This host's name. Errors: comm.
[[nodiscard]] std::string host_name();

}  // namespace lockstep
