// What a rank is doing, where others can see it: a cache line a rank, written by the rank's main thread alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "core/buffer.hpp"

namespace lockstep {

enum class Phase : std::uint32_t {
  starting,
  reading,
  gathering,
  forward,
  backward,
  updating,
  scoring,
  saving,
  writing,
  comparing,
  predicting,
  storing,
  ending
};

/// The phase in words: "the backward pass".
[[nodiscard]] constexpr std::string_view phase_name(Phase phase) noexcept {
  constexpr std::string_view names[] = {"the start",
                                        "reading data",
                                        "gathering samples",
                                        "the forward pass",
                                        "the backward pass",
                                        "the update",
                                        "scoring",
                                        "saving a checkpoint",
                                        "writing the run folder",
                                        "comparing the copies of the weights",
                                        "predicting",
                                        "writing predictions",
                                        "the end"};
  return names[static_cast<std::size_t>(phase)];
}

/// All zeros is a pulse that has not begun. Costs a rank a few plain stores.
struct alignas(kCacheLine) Pulse {
  std::atomic<std::uint64_t> beats;        ///< changes whenever the rank gets anywhere
  std::atomic<std::uint64_t> waits_begun;  ///< waits so far; ranks that wait for each other have as many
  std::atomic<std::uint64_t> step;         ///< under way, counts from 1; 0: before the first
  std::atomic<Phase> phase;
  std::atomic<std::int32_t> rank;
  std::atomic<std::int32_t> pid;  ///< of the process
  std::atomic<bool> waits;        ///< for other ranks
  std::atomic<bool> left;         ///< communicates no more
  std::atomic<bool> told;         ///< it has been said why the job ends; only in the pulse of a host's first rank

  void beat() noexcept { beats.store(beats.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  void enter(Phase now) noexcept {
    phase.store(now, std::memory_order_relaxed);
    beat();
  }
};

/// For the length of a scope, the rank waits for others.
class Waiting {
 public:
  explicit Waiting(Pulse& pulse) noexcept : pulse_(pulse) {
    pulse_.waits_begun.store(pulse_.waits_begun.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    set(true);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() { set(false); }

 private:
  void set(bool waits) noexcept {
    pulse_.waits.store(waits, std::memory_order_relaxed);
    pulse_.beat();
  }
  Pulse& pulse_;
};

}  // namespace lockstep
