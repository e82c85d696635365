// How long a rank waits for the others in a program that uses the library, where nobody may end its process: in vain,
// it throws.
//
// Who waits looks at the signs of life of its host's ranks itself, as the program's watchdog does from a thread beside.
// So a wait must not block in MPI: it tests and looks, again and again. Whoever has given up communicates no more:
// others may still be in the same wait, and MPI may still write to what was handed to it.
#pragma once

#include <chrono>
#include <string>

#include "comm/host_pulses.hpp"

namespace lockstep {

class Patience {
 public:
  /// `timeout`: [s] without a sign of life of those it waits for; 0: any time.
  explicit Patience(double timeout) : timeout_(timeout) {}
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

  void set_timeout(double timeout) noexcept { timeout_ = timeout; }

  /// Looks at `pulses` from now on, this rank's among them, which must outlive this; null: at none but its own.
  void watch(HostPulses* pulses) noexcept { pulses_ = pulses == nullptr ? &alone_ : pulses; }

  /// To be called again and again while this rank waits. Errors: comm, when it has waited in vain.
  void look() {
    if (++calls_ % kCalls == 0) look_closely();
  }

  /// This rank communicates no more, which those of its host see.
  void give_up(std::string why);
  [[nodiscard]] bool gave_up() const noexcept { return gave_up_; }
  /// Errors: comm, when it has given up before.
  void expect_none_given_up() const;

 private:
  static constexpr unsigned kCalls = 64;  // the clock is not asked each time

  void look_closely();
  [[nodiscard]] std::string why_in_vain();

  double timeout_;
  Pulse own_{};
  HostPulses alone_{own_, 0};
  HostPulses* pulses_ = &alone_;
  unsigned calls_ = 0;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  bool gave_up_ = false;
  std::string why_;
};

/// Whether the rank of this pulse has given up.
[[nodiscard]] inline bool gave_up(const Pulse& pulse) noexcept {
  return pulse.patience != nullptr && pulse.patience->gave_up();
}

}  // namespace lockstep
