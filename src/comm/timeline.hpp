// What a rank did when: the phases that its pulse went through, and its waits, as a bounded list.
//
// The time of the main thread is cut without gaps or overlaps: a wait interrupts its phase. Where the room is used up,
// steps are left out so that those that stay are spread over the whole run: whole groups of steps that follow each
// other, every second group, then every fourth, and so on.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "comm/phase.hpp"

namespace lockstep {

class Timeline {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class Thread : std::uint32_t { main, writer, reader };

  struct Event {
    std::int64_t begin;  ///< [ns] of this host's steady clock
    std::int64_t end;
    std::uint64_t step;   ///< under way, or the last one
    std::uint32_t shard;  ///< kNoShard: of none
    Phase phase;
    Thread thread;
    bool waits;  ///< for other ranks

    /// Rare and never left out with its step.
    [[nodiscard]] bool stays() const noexcept;
  };

  /// Steps that stay or go together.
  static constexpr std::uint64_t kGroup = 16;

  /// The steady clock [ns].
  [[nodiscard]] static std::int64_t clock_now() noexcept;
  /// Allocates room for `capacity` events, and never again. `clock`: another one for tests.
  explicit Timeline(std::size_t capacity, std::int64_t (*clock)() noexcept = clock_now);

  /// The main thread begins something else.
  void enter(Phase phase, std::uint64_t step, std::uint32_t shard) noexcept;
  /// It begins or ends to wait for other ranks. Waits of less than a microsecond are not told from work.
  void wait(bool waits) noexcept;
  /// What another thread has done, told by the main thread.
  void add(Thread thread, Phase phase, std::uint64_t step, Time begin, Time end) noexcept;
  /// Ends what is under way.
  void finish() noexcept;

  [[nodiscard]] const std::vector<Event>& events() const noexcept { return events_; }
  /// Of how many groups of steps one is kept: a power of two.
  [[nodiscard]] std::uint64_t stride() const noexcept { return stride_; }
  /// Whether events were lost that should have stayed.
  [[nodiscard]] bool full() const noexcept { return full_; }
  /// Whether an event is kept where one of `stride` groups is.
  [[nodiscard]] static bool keeps(std::uint64_t stride, const Event& event) noexcept;

 private:
  void end_at(std::int64_t now) noexcept;
  void record(const Event& event) noexcept;
  // Leaves out steps until there is room again.
  void thin() noexcept;

  std::int64_t (*clock_)() noexcept;
  std::vector<Event> events_;  // never more than its capacity
  Event now_{};                // under way, `end` not set
  std::int64_t wait_begin_ = 0;
  std::uint64_t stride_ = 1;
  bool full_ = false;
};

}  // namespace lockstep
