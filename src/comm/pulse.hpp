// What a rank is doing, where others can see it: a cache line a rank, written by the rank's main thread alone.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "comm/phase.hpp"
#include "comm/timeline.hpp"
#include "core/buffer.hpp"

namespace lockstep {

class Patience;

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
  // In the process' own memory, so that nobody else may look at them:
  Timeline* timeline;  ///< of this rank, where one is kept
  Patience* patience;  ///< what limits its waits; null: they last as long as it takes, and who looks ends the process

  void beat() noexcept { beats.store(beats.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  void enter(Phase now, std::size_t shard = kNoShard) noexcept {
    phase.store(now, std::memory_order_relaxed);
    beat();
    if (timeline == nullptr) return;
    timeline->enter(now, step.load(std::memory_order_relaxed), static_cast<std::uint32_t>(shard));
  }
};

/// For the length of a scope, the rank does something else; then it goes on with what it did.
class During {
 public:
  During(Pulse& pulse, Phase phase) noexcept : pulse_(pulse), before_(pulse.phase.load(std::memory_order_relaxed)) {
    pulse_.enter(phase);
  }
  During(const During&) = delete;
  During& operator=(const During&) = delete;
  ~During() { pulse_.enter(before_); }

 private:
  Pulse& pulse_;
  Phase before_;
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
    if (pulse_.timeline != nullptr) pulse_.timeline->wait(waits);
  }
  Pulse& pulse_;
};

}  // namespace lockstep
