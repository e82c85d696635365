#include "comm/timeline.hpp"

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::int64_t kShortestWait = 1000;  // [ns]
constexpr std::uint64_t kMostStride = std::uint64_t{1} << 32U;

std::int64_t in_nanoseconds(Timeline::Time time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

}  // namespace

bool Timeline::Event::stays() const noexcept {
  return thread == Thread::writer || phase == Phase::scoring || phase == Phase::saving;
}

std::int64_t Timeline::clock_now() noexcept {
  return in_nanoseconds(std::chrono::steady_clock::now());
}

Timeline::Timeline(std::size_t capacity, std::int64_t (*clock)() noexcept) : clock_(clock) {
  events_.reserve(capacity);
  now_.begin = clock_();
  now_.shard = kNoShard;
}

void Timeline::enter(Phase phase, std::uint64_t step, std::uint32_t shard) noexcept {
  const std::int64_t now = clock_();
  end_at(now);
  now_ = {.begin = now, .end = 0, .step = step, .shard = shard, .phase = phase, .thread = Thread::main, .waits = false};
}

void Timeline::wait(bool waits) noexcept {
  if (waits == now_.waits) return;  // one within another
  const std::int64_t now = clock_();
  if (waits) {
    wait_begin_ = now;
    now_.waits = true;
    return;
  }
  if (now - wait_begin_ >= kShortestWait) {
    end_at(now);
    now_.begin = now;
  }
  now_.waits = false;
}

void Timeline::add(Thread thread, Phase phase, std::uint64_t step, Time begin, Time end) noexcept {
  record({.begin = in_nanoseconds(begin),
          .end = in_nanoseconds(end),
          .step = step,
          .shard = kNoShard,
          .phase = phase,
          .thread = thread,
          .waits = false});
}

void Timeline::finish() noexcept {
  end_at(clock_());
}

bool Timeline::keeps(std::uint64_t stride, const Event& event) noexcept {
  const std::uint64_t before = event.step == 0 ? 0 : event.step - 1;
  return before / kGroup % stride == 0 || event.stays();
}

// While it waits, work and wait are two events.
void Timeline::end_at(std::int64_t now) noexcept {
  Event work = now_;
  work.waits = false;
  work.end = now_.waits ? wait_begin_ : now;
  record(work);
  if (!now_.waits) return;
  Event wait = now_;
  wait.begin = wait_begin_;
  wait.end = now;
  record(wait);
}

void Timeline::record(const Event& event) noexcept {
  if (event.end <= event.begin || !keeps(stride_, event)) return;
  if (events_.size() == events_.capacity()) thin();
  if (full_ && events_.size() == events_.capacity()) return;
  events_.push_back(event);
}

void Timeline::thin() noexcept {
  const std::size_t enough = events_.capacity() / 4 * 3;
  while (events_.size() > enough && stride_ < kMostStride) {
    stride_ *= 2;
    std::erase_if(events_, [this](const Event& event) { return !keeps(stride_, event); });
  }
  full_ = events_.size() == events_.capacity();
}

}  // namespace lockstep
