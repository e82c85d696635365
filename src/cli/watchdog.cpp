#include "cli/watchdog.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>

#include "cli/signals.hpp"
#include "comm/cores.hpp"
#include "core/quiet_thread.hpp"

namespace lockstep::cli {
namespace {

constexpr std::chrono::milliseconds kTick{200};
constexpr std::uint64_t kLooksAQuestion = 5;  // the system is asked about processes once a second
constexpr double kSuspicious = 1;             // [s] of silence before the system is asked about a process
constexpr double kStartAfterTermination = 2;  // [s]
constexpr double kAfterTold = 3;              // [s] for the message of another rank to get out

// What the numbers of processes mean to this one: containers have them each on their own.
std::string process_space() {
  std::error_code error;
  const std::string space = std::filesystem::read_symlink("/proc/self/ns/pid", error).string();
  return error ? fmt::format("unknown, of process {}", getpid()) : space;
}

// Not by the streams that the main thread may be in the middle of.
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

void Watchdog::join(Communicator& comm) {
  const auto rank = static_cast<std::size_t>(comm.node_rank());
  const auto ranks = static_cast<std::size_t>(comm.node_size());
  const std::size_t bytes = ranks * sizeof(Pulse);
  std::unique_ptr<NodeWindow> window;
  try {
    window = std::make_unique<NodeWindow>(comm, bytes, Range{rank * sizeof(Pulse), (rank + 1) * sizeof(Pulse)},
                                          WindowUse{"the watch over stalled ranks", "one rank a host"});
  } catch (const Error& error) {
    if (!error.agreed()) throw;
    comm.attach(own_);  // too little shared memory for all: each looks after itself
    const std::scoped_lock lock(mutex_);
    joined_ = true;
    return;
  }
  auto* const pulses = reinterpret_cast<Pulse*>(window->memory().data());
  pulses[rank].rank.store(comm.launch_rank());
  pulses[rank].pid.store(getpid());
  const std::string host = host_name();
  const std::vector<std::string> hosts = comm.by_launch_rank(comm.gather_texts(host));
  std::vector<RankView> views;  // gathering has made sure that all have filled theirs
  for (std::size_t i = 0; i < ranks; ++i) views.push_back({.rank = pulses[i].rank.load(), .pid = pulses[i].pid.load()});
  const std::vector<std::string> spaces = comm.gather_texts(process_space());
  bool see_all = true;
  for (std::size_t i = 0; i < spaces.size(); ++i) {
    const bool here = comm.hosts_of_ranks()[i] == comm.hosts_of_ranks()[static_cast<std::size_t>(comm.rank())];
    see_all = see_all && (!here || spaces[i] == process_space());
  }
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
  joined_ = true;
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
    views_ = {RankView{.rank = comm.launch_rank(), .pid = getpid()}};
    window = std::move(window_);
  }
  // Here the window goes, on all ranks.
}

void Watchdog::say_nothing() {
  const std::scoped_lock lock(mutex_);
  pulses_.front()->told.store(true);
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
  const bool asks = looks_++ % kLooksAQuestion == 0;
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
    if (asks) view.state = pids_are_ours_ && view.still > kSuspicious ? process_state(view.pid) : '?';
    view.missing = view.gone() ? view.missing + elapsed : 0;
  }
  // Another rank may have died while MPI starts, which then does not come back; and there is nothing yet to be saved.
  if (!joined_ && termination_came() && (since_termination_ += elapsed) > kStartAfterTermination) end_process("");
  const auto reason = find_stall(views_, host_, timeout_, elsewhere_, termination_came());
  if (!reason) return;
  if (!pulses_.front()->told.exchange(true)) end_process(*reason + hint_);
  std::this_thread::sleep_for(std::chrono::duration<double>(kAfterTold));
  end_process("");
}

}  // namespace lockstep::cli
