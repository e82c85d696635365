#include "cli/watchdog.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "cli/signals.hpp"
#include "core/quiet_thread.hpp"
#include "core/visible_text.hpp"

namespace lockstep::cli {
namespace {

constexpr std::chrono::milliseconds kTick{200};
constexpr double kStartAfterTermination = 2;  // [s]
constexpr double kAfterTold = 3;              // [s] for the message of another rank to get out
// [s] from MPI's start to where the hosts should have met, which takes them milliseconds, and to where they never will.
constexpr double kMeetingIsLate = 15;
constexpr double kMeetingIsOff = 60;

// Not by the streams that the main thread may be in the middle of.
void write_line(const std::string& line) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

[[noreturn]] void end_process(const std::string& message) {
  if (!message.empty()) write_line("lockstep: error: " + visible(message) + "\n");
  _exit(Watchdog::kExitCode);
}

}  // namespace

Watchdog::Watchdog(int rank) : seen_(own_, rank) {
  thread_ = start_quiet_thread("the watch over stalled ranks", [this] { run(); });
}

Watchdog::~Watchdog() {
  {
    const std::scoped_lock lock(mutex_);
    end_ = true;
  }
  ended_.notify_all();
  thread_.join();
}

void Watchdog::mpi_has_started(std::string advice) {
  const std::scoped_lock lock(mutex_);
  advice_ = std::move(advice);
}

void Watchdog::join(Communicator& comm) {
  HostPulses shared = share_pulses(comm);
  const std::scoped_lock lock(mutex_);
  advice_.clear();
  joined_ = true;
  if (shared.window == nullptr) {  // each looks after itself
    comm.attach(own_);
    return;
  }
  seen_ = std::move(shared);
  comm.attach(*seen_.pulses[seen_.own]);
}

void Watchdog::leave(Communicator& comm) {
  Pulse& shared = comm.pulse();
  own_.step.store(shared.step.load());
  own_.enter(Phase::ending);
  shared.left.store(true);
  comm.attach(own_);
  HostPulses alone(own_, comm.launch_rank());
  {
    const std::scoped_lock lock(mutex_);
    std::swap(seen_, alone);
  }
  // Here the window goes, on all ranks.
}

void Watchdog::say_nothing() {
  const std::scoped_lock lock(mutex_);
  seen_.pulses.front()->told.store(true);
}

void Watchdog::set_timeout(double seconds, std::string key) {
  const std::scoped_lock lock(mutex_);
  timeout_ = seconds;
  hint_ = fmt::format(" ({} = {})", key, seconds);
}

void Watchdog::run() {
  std::unique_lock lock(mutex_);
  auto last = std::chrono::steady_clock::now();
  while (!ended_.wait_for(lock, kTick, [this] { return end_; })) {
    const auto now = std::chrono::steady_clock::now();
    // A job that was suspended as a whole has been silent for no longer than it ran.
    look(std::min(std::chrono::duration<double>(now - std::exchange(last, now)).count(), 1.0));
  }
}

void Watchdog::look(double elapsed) {
  seen_.look(elapsed);
  // Another rank may have died while MPI starts, which then does not come back; and there is nothing yet to be saved.
  if (!joined_ && termination_came() && (since_termination_ += elapsed) > kStartAfterTermination) end_process("");
  if (!advice_.empty()) look_for_a_meeting(elapsed);
  const auto reason = find_stall(seen_.views, seen_.host, timeout_, seen_.elsewhere, termination_came());
  if (!reason) return;
  if (!seen_.pulses.front()->told.exchange(true)) end_process(*reason + hint_);
  std::this_thread::sleep_for(std::chrono::duration<double>(kAfterTold));
  end_process("");
}

// All ranks have come out of MPI's start, which goes by ways of its own, and now send each other the first messages.
void Watchdog::look_for_a_meeting(double elapsed) {
  const double before = std::exchange(since_start_, since_start_ + elapsed);
  const bool first = seen_.views.front().rank == 0;
  const auto text = [&] {
    return fmt::format("for {:.0f} s no message has come through between the hosts, {}", since_start_, advice_);
  };
  if (before < kMeetingIsLate && since_start_ >= kMeetingIsLate && first) {
    write_line(fmt::format("lockstep: warning: {}; after {:.0f} s the job ends\n", text(), kMeetingIsOff));
  }
  if (since_start_ >= kMeetingIsOff + (first ? 0 : kAfterTold)) end_process(first ? text() : "");
}

}  // namespace lockstep::cli
