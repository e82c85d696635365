#include "comm/cores.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "core/number_text.hpp"

namespace lockstep {
namespace {

// "3,4,17" of the calling thread.
std::string own_cores() {
  std::string text;
  // More cores than cpu_set_t has by default are possible: the kernel says when the set is too small.
  for (int count = CPU_SETSIZE; count <= (1 << 20); count *= 2) {
    cpu_set_t* const set = CPU_ALLOC(static_cast<std::size_t>(count));
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(count));
    if (set == nullptr) return text;
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    for (int core = 0; known && core < count; ++core) {
      if (CPU_ISSET_S(static_cast<std::size_t>(core), bytes, set))
        text += fmt::format("{}{}", text.empty() ? "" : ",", core);
    }
    CPU_FREE(set);
    if (known) break;
  }
  return text;
}

std::vector<int> parse_cores(std::string_view text) {
  std::vector<int> cores;
  for (const char *at = text.data(), *end = at + text.size(); at < end;) {
    int core = 0;
    at = std::from_chars(at, end, core).ptr + 1;
    cores.push_back(core);
  }
  return cores;
}

std::string each_with(std::size_t ranks, std::size_t threads) {
  return threads == 1 ? count_text(ranks, "rank")
                      : fmt::format("{} of {}", count_text(ranks, "rank"), count_text(threads, "thread"));
}

}  // namespace

std::string host_name() {
  std::array<char, MPI_MAX_PROCESSOR_NAME> text{};
  int length = 0;
  check_mpi(MPI_Get_processor_name(text.data(), &length), "MPI_Get_processor_name");
  return {text.data(), static_cast<std::size_t>(length)};
}

std::vector<RankCores> gather_cores(const Communicator& comm) {
  const std::vector<std::string> hosts = comm.by_launch_rank(comm.gather_texts(host_name()));
  const std::vector<std::string> cores = comm.by_launch_rank(comm.gather_texts(own_cores()));
  std::vector<RankCores> ranks;
  for (std::size_t rank = 0; rank < hosts.size(); ++rank) ranks.push_back({hosts[rank], parse_cores(cores[rank])});
  return ranks;
}

std::vector<std::string> core_warnings(std::span<const RankCores> ranks, std::size_t threads) {
  struct Host {
    std::set<int> cores;
    std::size_t ranks = 0;
    std::map<std::vector<int>, std::vector<std::size_t>> bound;  // the ranks by their cores
  };
  std::map<std::string, Host> hosts;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const auto& [name, cores] = ranks[rank];
    if (cores.empty()) return {};  // nothing is known
    Host& host = hosts[name];
    host.cores.insert(cores.begin(), cores.end());
    ++host.ranks;
    host.bound[cores].push_back(rank);
  }
  const std::string own_cores = fmt::format("mpirun --map-by slot:PE={} --bind-to core", threads);
  std::string crowded;
  std::string badly_bound;
  for (const auto& [name, host] : hosts) {
    if (host.ranks * threads > host.cores.size()) {
      if (!crowded.empty()) continue;
      const std::size_t fit = std::max<std::size_t>(host.cores.size() / threads, 1);
      crowded = fmt::format(
          "{} on {} have {} to run on: they wait for each other. Start at most {} a host (mpirun -n {}), or, where the "
          "host has more cores than these, give each rank its own ({})",
          each_with(host.ranks, threads), name, count_text(host.cores.size(), "core"), count_text(fit, "rank"), fit,
          own_cores);
      continue;
    }
    for (const auto& [cores, members] : host.bound) {
      if (members.size() * threads <= cores.size() || !badly_bound.empty()) continue;
      badly_bound = fmt::format(
          "{} ({}) on {} are bound to {} ({}) while other cores are free: give each rank its own ({}), or bind none "
          "(mpirun --bind-to none)",
          each_with(members.size(), threads), fmt::join(members, ", "), name, count_text(cores.size(), "core"),
          fmt::join(cores, ", "), own_cores);
    }
  }
  std::vector<std::string> warnings;
  for (std::string* text : {&crowded, &badly_bound}) {
    if (!text->empty()) warnings.push_back(std::move(*text));
  }
  return warnings;
}

}  // namespace lockstep
