// A barrier among the ranks of a host, in shared memory, which also carries notes from all to all.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/buffer.hpp"
#include "core/function_ref.hpp"

namespace lockstep {

/// Every rank counts its arrivals in a cache line of its own and looks at those of the others, so that a barrier costs
/// one transfer between caches, not one for every rank in turn.
class NodeBarrier {
 public:
  /// Bytes of zeroed shared memory, on a cache-line border, that `ranks` ranks need.
  [[nodiscard]] static std::size_t bytes(std::size_t ranks) noexcept { return ranks * sizeof(Arrivals); }

  /// Joins at `round`, the same for all ranks: 0 in zeroed memory. All ranks must have joined before one waits.
  NodeBarrier(std::span<std::byte> memory, std::size_t rank, std::size_t ranks, std::uint32_t round = 0) noexcept;

  /// Waits until all ranks have come as often as this one, and returns the bits that they brought, or-ed. What they
  /// wrote before is visible after. Spins for a while, then lets others run: more ranks than cores still move.
  /// `idle` is called while it waits.
  std::uint32_t wait(std::uint32_t bits = 0, const FunctionRef<void()>* idle = nullptr);

 private:
  struct alignas(kCacheLine) Arrivals {
    std::atomic<std::uint32_t> count;
    // Two in turn: one is written again only two rounds later, when all have read it.
    std::array<std::atomic<std::uint32_t>, 2> bits;
  };

  std::span<Arrivals> arrivals_;  // [ranks]
  std::size_t rank_;
  std::uint32_t round_;
  unsigned spins_;
};

}  // namespace lockstep
