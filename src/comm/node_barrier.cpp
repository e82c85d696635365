#include "comm/node_barrier.hpp"

#include <sched.h>
#include <unistd.h>

namespace lockstep {
namespace {

// Rounds to spin for: some tens of microseconds, the length of a small step. None where ranks outnumber the cores.
unsigned spins_for(std::size_t ranks) noexcept {
  constexpr unsigned kSpins = 4000;
  return static_cast<long>(ranks) <= sysconf(_SC_NPROCESSORS_ONLN) ? kSpins : 0;
}

void pause_briefly() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

NodeBarrier::NodeBarrier(std::span<std::byte> memory, std::size_t rank, std::size_t ranks, std::uint32_t round) noexcept
    : arrivals_(reinterpret_cast<Arrivals*>(memory.data()), ranks),
      rank_(rank),
      round_(round),
      spins_(spins_for(ranks)) {
  arrivals_[rank_].count.store(round_, std::memory_order_release);
}

std::uint32_t NodeBarrier::wait(std::uint32_t bits, const FunctionRef<void()>* idle) {
  ++round_;
  arrivals_[rank_].bits[round_ % 2].store(bits, std::memory_order_relaxed);
  arrivals_[rank_].count.store(round_, std::memory_order_release);
  unsigned spins = spins_;
  for (const Arrivals& other : arrivals_) {
    // Behind, also where the counts have wrapped around: no rank is ever two rounds ahead of another.
    while (static_cast<std::int32_t>(other.count.load(std::memory_order_acquire) - round_) < 0) {
      if (spins > 0) {
        --spins;
        pause_briefly();
      } else {
        if (idle != nullptr) (*idle)();
        sched_yield();
      }
    }
    bits |= other.bits[round_ % 2].load(std::memory_order_relaxed);
  }
  return bits;
}

}  // namespace lockstep
