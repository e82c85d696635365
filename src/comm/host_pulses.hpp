// The pulses of a host's ranks, in memory that they share, and what was seen of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/node_window.hpp"
#include "comm/stalls.hpp"

namespace lockstep {

/// Looked at from one thread at a time; the pulses themselves change at any time.
struct HostPulses {
  std::unique_ptr<NodeWindow> window;  ///< null: there is no memory for it, and this rank is seen alone
  std::vector<Pulse*> pulses;          ///< of this host's ranks, the one of rank `own` among them
  std::vector<RankView> views;         ///< what was seen of each, and since when
  std::size_t own = 0;
  std::string host = "this host";
  std::string elsewhere;       ///< the ranks of other hosts in words; empty: there are none
  bool pids_are_ours = false;  ///< the ranks of this host see each other's processes
  std::uint64_t looks = 0;

  /// This rank's alone.
  HostPulses(Pulse& pulse, int rank);

  /// Brings the views up to date, `elapsed` seconds after the last time. Calls no MPI.
  void look(double elapsed);
};

/// Those of all ranks of the host, where there is shared memory for it; this rank's own begins where its pulse is now.
/// The caller attaches it. Collective. Errors: comm.
[[nodiscard]] HostPulses share_pulses(const Communicator& comm);

}  // namespace lockstep
