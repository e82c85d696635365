// Whether what a job is about to take is there, on every host, before any of it is taken: else the kernel would end a
// process without a word, hours later maybe.
//
// It refuses what surely does not fit and nothing else: what is needed is counted too low rather than too high, and
// what is there too high rather than too low.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "core/memory_room.hpp"

namespace lockstep {

/// What a rank needs beyond what it has [bytes].
struct MemoryNeed {
  std::size_t own = 0;
  std::size_t shared = 0;  ///< that it has together with all ranks of its host, counted once there
  std::size_t later = 0;   ///< that it does without where it is not to be had, but for the machine's sake
};

/// A rank of a job, as find_shortage looks at it.
struct RankMemory {
  int host = 0;  ///< the same for all ranks of a host
  std::string host_name = {};
  int rank = 0;  ///< its number for people
  MemoryNeed need = {};
  std::vector<MemoryLimit> limits = {};
};

/// What needs memory, and what helps besides more of it.
struct MemoryUse {
  std::string what;
  std::string way_out = {};
  std::string way_out_on_host = {};  ///< not where the address space of one process is too small
};

/// What does not fit, of the first host where something does not: who needs how much, what there is, and the ways out;
/// unset where all fits. Pure.
[[nodiscard]] std::optional<std::string> find_shortage(std::span<const RankMemory> ranks, const MemoryUse& use);

/// Collective. Errors: config, agreed: find_shortage's text.
void require_memory(const Communicator& comm, const MemoryNeed& need, const MemoryUse& use);

}  // namespace lockstep
