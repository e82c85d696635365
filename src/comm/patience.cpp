#include "comm/patience.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr double kTick = 0.2;  // [s] between two looks

}  // namespace

void Patience::look_closely() {
  const auto now = std::chrono::steady_clock::now();
  const double elapsed = std::chrono::duration<double>(now - last_).count();
  if (elapsed < kTick) return;
  last_ = now;
  // Between two waits nobody looks, and a job that was suspended as a whole has been silent for no longer than it ran.
  pulses_->look(std::min(elapsed, 1.0));
  const std::string why = why_in_vain();
  if (!why.empty()) throw Error(ErrorKind::comm, why);
}

std::string Patience::why_in_vain() {
  const HostPulses& seen = *pulses_;
  for (const RankView& view : seen.views) {
    if (!view.left) continue;
    return fmt::format("rank {} on {} has given up, and takes part no more: {}", view.rank, seen.host, last_seen(view));
  }
  const std::string hint = fmt::format(" (train.stall_timeout = {})", timeout_);
  if (seen.window == nullptr && timeout_ > 0 && seen.views.front().still >= timeout_) {
    return fmt::format("waited {:.0f} s in vain for the other ranks of the communicator{}", seen.views.front().still,
                       hint);
  }
  const auto reason = find_stall(seen.views, seen.host, timeout_, seen.elsewhere, false);
  return reason ? *reason + hint : "";
}

void Patience::give_up(std::string why) {
  if (std::exchange(gave_up_, true)) return;
  why_ = std::move(why);
  pulses_->pulses[pulses_->own]->left.store(true);
}

void Patience::expect_none_given_up() const {
  if (!gave_up_) return;
  throw Error(ErrorKind::comm, fmt::format("this Trainer is of no more use since an error before: {}", why_));
}

}  // namespace lockstep
