// The hosts' steady clocks, which begin when they like and run a little fast or slow.
#pragma once

#include <cstdint>

#include "comm/communicator.hpp"

namespace lockstep {

/// How a host's steady clock stood to that of rank 0's host [ns].
struct ClockReading {
  std::int64_t here = 0;   ///< by this host's clock, when it was compared
  std::int64_t ahead = 0;  ///< of rank 0's host; off by half a message's way there and back at most
};

/// Compares the clocks, by a few messages between rank 0 and the first rank of every other host.
/// Collective. Errors: comm.
[[nodiscard]] ClockReading compare_clocks(const Communicator& comm);

/// `time` of this host's clock by that of rank 0's host: the difference between two readings grows evenly.
[[nodiscard]] std::int64_t on_root_clock(std::int64_t time, const ClockReading& first,
                                         const ClockReading& last) noexcept;

}  // namespace lockstep
