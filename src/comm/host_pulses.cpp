#include "comm/host_pulses.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "comm/cores.hpp"

namespace lockstep {
namespace {

constexpr std::uint64_t kLooksAQuestion = 5;  // the system is asked about processes at every fifth look
constexpr double kSuspicious = 1;             // [s] of silence before the system is asked about a process

// What the numbers of processes mean to this one: containers have them each on their own.
std::string process_space() {
  std::error_code error;
  const std::string space = std::filesystem::read_symlink("/proc/self/ns/pid", error).string();
  return error ? fmt::format("unknown, of process {}", getpid()) : space;
}

}  // namespace

HostPulses::HostPulses(Pulse& pulse, int rank) : pulses{&pulse}, views{RankView{.rank = rank, .pid = getpid()}} {
  pulse.rank.store(rank);
  pulse.pid.store(getpid());
}

void HostPulses::look(double elapsed) {
  const bool asks = looks++ % kLooksAQuestion == 0;
  for (std::size_t i = 0; i < pulses.size(); ++i) {
    const Pulse& pulse = *pulses[i];
    RankView& view = views[i];
    const std::uint64_t beats = pulse.beats.load(std::memory_order_relaxed);
    view.still = beats == view.beats ? view.still + elapsed : 0;
    view.beats = beats;
    view.waits_begun = pulse.waits_begun.load(std::memory_order_relaxed);
    view.step = pulse.step.load(std::memory_order_relaxed);
    view.phase = pulse.phase.load(std::memory_order_relaxed);
    view.waits = pulse.waits.load(std::memory_order_relaxed);
    view.left = pulse.left.load(std::memory_order_relaxed);
    view.pid = pulse.pid.load(std::memory_order_relaxed);
    if (asks) view.state = pids_are_ours && view.still > kSuspicious ? process_state(view.pid) : '?';
    view.missing = view.gone() ? view.missing + elapsed : 0;
  }
}

HostPulses share_pulses(const Communicator& comm) {
  HostPulses shared(comm.pulse(), comm.launch_rank());
  const auto rank = static_cast<std::size_t>(comm.node_rank());
  const auto ranks = static_cast<std::size_t>(comm.node_size());
  const Range mine{rank * sizeof(Pulse), (rank + 1) * sizeof(Pulse)};
  try {
    shared.window = std::make_unique<NodeWindow>(comm, ranks * sizeof(Pulse), mine,
                                                 WindowUse{"the watch over stalled ranks", "one rank a host"});
  } catch (const Error& error) {
    if (!error.agreed()) throw;
    return shared;  // too little shared memory for all: each looks after itself
  }
  auto* const pulses = reinterpret_cast<Pulse*>(shared.window->memory().data());
  pulses[rank].rank.store(comm.launch_rank());
  pulses[rank].pid.store(getpid());
  shared.host = host_name();
  shared.elsewhere = ranks_elsewhere(comm.by_launch_rank(comm.gather_texts(shared.host)), shared.host);
  shared.views.clear();  // gathering has made sure that all have filled theirs
  shared.pulses.clear();
  for (std::size_t i = 0; i < ranks; ++i) {
    shared.pulses.push_back(&pulses[i]);
    shared.views.push_back({.rank = pulses[i].rank.load(), .pid = pulses[i].pid.load()});
  }
  shared.own = rank;
  const std::vector<std::string> spaces = comm.gather_texts(process_space());
  shared.pids_are_ours = true;
  for (std::size_t i = 0; i < spaces.size(); ++i) {
    const bool here = comm.hosts_of_ranks()[i] == comm.hosts_of_ranks()[static_cast<std::size_t>(comm.rank())];
    shared.pids_are_ours = shared.pids_are_ours && (!here || spaces[i] == process_space());
  }
  pulses[rank].waits_begun.store(comm.pulse().waits_begun.load());
  comm.barrier();  // all have looked
  return shared;
}

}  // namespace lockstep
