#include "cli/watchdog.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "cli/signals.hpp"
#include "comm/cores.hpp"

namespace lockstep::cli {
namespace {

constexpr std::chrono::milliseconds kTick{200};
constexpr double kSuspicious = 1;  // [s] of silence before the system is asked about a process
constexpr double kAfterTold = 3;   // [s] for the message of another rank to get out

// Neither streams nor allocation by others are to be trusted now.
[[noreturn]] void end_process(const std::string& message) {
  const std::string line = message.empty() ? "" : "lockstep: error: " + message + "\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
  _exit(Watchdog::kExitCode);
}

}  // namespace

Watchdog::Watchdog(int rank) {
  own_.pid.store(getpid());
  pulses_ = {&own_};
  views_ = {RankView{.rank = rank, .pid = getpid()}};
  host_ = "this host";
  sigset_t all;
  sigset_t before;
  sigfillset(&all);  // signals are the main thread's
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Watchdog::~Watchdog() {
  {
    const std::scoped_lock lock(mutex_);
    end_ = true;
  }
  ended_.notify_all();
  thread_.join();
}

void Watchdog::join(Communicator& comm) {
  const auto rank = static_cast<std::size_t>(comm.node_rank());
  const auto ranks = static_cast<std::size_t>(comm.node_size());
  const std::size_t bytes = ranks * sizeof(Pulse);
  auto window = std::make_unique<NodeWindow>(comm, bytes, Range{rank * sizeof(Pulse), (rank + 1) * sizeof(Pulse)},
                                             WindowUse{"the watch over stalled ranks", "one rank a host"});
  auto* const pulses = reinterpret_cast<Pulse*>(window->memory().data());
  pulses[rank].pid.store(getpid());
  const std::string host = host_name();
  const std::vector<std::string> hosts = comm.gather_texts(host);
  // The ranks of this host, in the order of the ranks of the whole job, as the node's communicator has them.
  const std::vector<std::string> nodes = comm.gather_texts(fmt::format("{}", comm.node_rank()));
  std::vector<RankView> views;
  for (std::size_t of = 0; of < hosts.size() && views.size() < ranks; ++of) {
    if (hosts[of] == host && nodes[of] == fmt::format("{}", views.size())) {
      views.push_back({.rank = static_cast<int>(of), .pid = pulses[views.size()].pid.load()});
    }
  }
  views.resize(ranks);
  const bool see_all = std::ranges::none_of(views, [](const RankView& view) { return process_state(view.pid) == 'X'; });
  pulses[rank].waits_begun.store(comm.pulse().waits_begun.load());
  comm.barrier();  // all have looked
  const std::scoped_lock lock(mutex_);
  window_ = std::move(window);
  pulses_.clear();
  for (std::size_t i = 0; i < ranks; ++i) pulses_.push_back(&pulses[i]);
  views_ = std::move(views);
  host_ = host;
  elsewhere_ = ranks_elsewhere(hosts, host);
  pids_are_ours_ = see_all;
  comm.attach(pulses[rank]);
}

void Watchdog::leave(Communicator& comm) {
  Pulse& shared = comm.pulse();
  own_.step.store(shared.step.load());
  own_.enter(Phase::ending);
  shared.left.store(true);
  comm.attach(own_);
  std::unique_ptr<NodeWindow> window;
  {
    const std::scoped_lock lock(mutex_);
    pulses_ = {&own_};
    views_ = {RankView{.rank = comm.rank(), .pid = getpid()}};
    window = std::move(window_);
  }
  // Here the window goes, on all ranks.
}

void Watchdog::say_nothing() {
  const std::scoped_lock lock(mutex_);
  pulses_.front()->told.store(true);
}

void Watchdog::set_timeout(double seconds) {
  const std::scoped_lock lock(mutex_);
  timeout_ = seconds;
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
  for (std::size_t i = 0; i < pulses_.size(); ++i) {
    const Pulse& pulse = *pulses_[i];
    RankView& view = views_[i];
    const std::uint64_t beats = pulse.beats.load(std::memory_order_relaxed);
    view.still = beats == view.beats ? view.still + elapsed : 0;
    view.beats = beats;
    view.waits_begun = pulse.waits_begun.load(std::memory_order_relaxed);
    view.step = pulse.step.load(std::memory_order_relaxed);
    view.phase = pulse.phase.load(std::memory_order_relaxed);
    view.waits = pulse.waits.load(std::memory_order_relaxed);
    view.left = pulse.left.load(std::memory_order_relaxed);
    view.pid = pulse.pid.load(std::memory_order_relaxed);
    view.state = pids_are_ours_ && view.still > kSuspicious ? process_state(view.pid) : '?';
    view.missing = view.gone() ? view.missing + elapsed : 0;
  }
  const auto reason = find_stall(views_, host_, timeout_, elsewhere_, termination_came());
  if (!reason) return;
  if (!pulses_.front()->told.exchange(true)) end_process(*reason);
  std::this_thread::sleep_for(std::chrono::duration<double>(kAfterTold));
  end_process("");
}

}  // namespace lockstep::cli
