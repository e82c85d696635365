// Timelines in Chrome's trace format, which Perfetto and chrome://tracing show.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "comm/timeline.hpp"

namespace lockstep {

/// What one rank brings.
struct RankEvents {
  int rank = 0;
  std::string host = {};
  std::span<const Timeline::Event> events = {};  ///< by rank 0's clock; those of a thread in their order
};

/// The JSON text. `stride`: of how many groups of steps one is kept. `alive` is called after every rank.
[[nodiscard]] std::string format_trace(std::span<const RankEvents> ranks, std::uint64_t stride,
                                       const std::function<void()>& alive = {});

}  // namespace lockstep
