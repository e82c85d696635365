// lockstep doctor: hosts, cores, memory and versions.
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "cli/doctor/doctor.hpp"
#include "comm/cores.hpp"
#include "core/number_text.hpp"
#include "core/vector_math.hpp"
#include "io/hdf5.hpp"
#include "lockstep/version.hpp"
#include "run/describe.hpp"

namespace lockstep::cli {
namespace {

// The first number of a file; unset where there is none ("max").
std::optional<double> number_in(const std::string& path) {
  double value = 0;
  std::ifstream file(path);
  return file >> value ? std::optional(value) : std::nullopt;
}

// [bytes] of a line of /proc/meminfo.
double meminfo(const std::string& name) {
  std::ifstream file("/proc/meminfo");
  std::string key;
  for (double kilobytes = 0; file >> key >> kilobytes; file.ignore(256, '\n')) {
    if (key == name + ":") return kilobytes * 1024;
  }
  return 0;
}

// What the host has, and what a container of it (cgroup v2 or v1) may use.
std::pair<double, double> memory_and_available() {
  double total = meminfo("MemTotal");
  double available = meminfo("MemAvailable");
  for (const auto& [limit, used] :
       {std::pair("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        std::pair("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes")}) {
    const auto most = number_in(limit);
    if (!most || *most >= total) continue;
    total = *most;
    available = std::min(available, std::max(*most - number_in(used).value_or(0), 0.0));
  }
  return {total, available};
}

// Cores without their hyper-threads; 0: not known.
std::size_t physical_cores(long online) {
  std::set<std::string> siblings;
  for (long core = 0; core < online; ++core) {
    std::string text;
    std::ifstream file(fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", core));
    if (!std::getline(file, text)) return 0;
    siblings.insert(text);
  }
  return siblings.size();
}

nlohmann::json facts_of_this_rank(const Compute& compute) {
  const auto [memory, available] = memory_and_available();
  struct statvfs shm {};
  const bool known = statvfs("/dev/shm", &shm) == 0;
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return {
      {"online", online},
      {"physical", physical_cores(online)},
      {"kernel", compute.kernel()},
      {"vectors", simd_target()},
      {"memory", memory},
      {"available", available},
      {"shared", known ? static_cast<double>(shm.f_bavail) * static_cast<double>(shm.f_frsize) : 0},
      {"versions",
       {{"lockstep", kVersion}, {"MPI", mpi_version()}, {"BLAS", compute.version()}, {"HDF5", h5::library_version()}}}};
}

// "none", "1 core a rank", "2 to 4 cores a rank".
std::string binding_of(const Host& host, std::span<const RankCores> ranks) {
  std::size_t least = host.cores.size();
  std::size_t most = 0;
  for (const std::size_t rank : host.ranks) {
    least = std::min(least, ranks[rank].cores.size());
    most = std::max(most, ranks[rank].cores.size());
  }
  if (most == 0) return "not known";
  if (least == host.online || (least == host.cores.size() && host.ranks.size() > 1)) return "none";
  return least == most ? fmt::format("{} a rank", count_text(least, "core"))
                       : fmt::format("{} to {} cores a rank", least, most);
}

// Unlike versions: a text a host, of its first rank that has others than rank 0.
void compare_versions(const Job& job, std::span<const nlohmann::json> facts, Findings& findings) {
  for (const Host& host : job.hosts) {
    for (const std::size_t rank : host.ranks) {
      std::string unlike;
      for (const auto& [name, version] : job.versions) {
        const std::string found = facts[rank]["versions"].value(name, "none");
        if (found == version) continue;
        unlike += fmt::format("{}{} {} where rank 0 on {} has {}", unlike.empty() ? "" : "; ", name, found,
                              job.hosts[job.host_of[0]].name, version);
      }
      if (unlike.empty()) continue;
      findings.problems.push_back(
          fmt::format("{} has {}: all ranks need the same software", job.rank_name(rank), unlike));
      break;
    }
  }
}

}  // namespace

std::size_t Job::fullest() const {
  std::size_t most = 0;
  for (const Host& host : hosts) most = std::max(most, host.ranks.size());
  return most;
}

std::string Job::rank_name(std::size_t rank) const {
  return fmt::format("rank {} on {}", rank, hosts[host_of[rank]].name);
}

std::vector<double> gather_numbers(const Communicator& comm, double value) {
  std::vector<double> values(static_cast<std::size_t>(comm.size()));
  std::vector<std::size_t> starts(values.size() + 1);
  std::iota(starts.begin(), starts.end(), std::size_t{0});
  values[static_cast<std::size_t>(comm.rank())] = value;
  comm.gather_parts(values, starts);
  return values;
}

void wait_quietly(const Communicator& comm) {
  const Waiting waiting(comm.pulse());
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(comm.get(), &request), "MPI_Ibarrier");
  constexpr timespec kNap{0, 300'000};
  for (int done = 0; done == 0;) {
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done == 0) nanosleep(&kNap, nullptr);
  }
}

Job look_at_hosts(const Communicator& comm, const Compute& compute, Findings& findings) {
  int leader = comm.rank();
  {
    const Waiting waiting(comm.pulse());
    check_mpi(MPI_Bcast(&leader, 1, MPI_INT, 0, comm.node()), "MPI_Bcast");
  }
  const std::vector<double> leaders = gather_numbers(comm, leader);
  const std::vector<RankCores> cores = gather_cores(comm);
  std::vector<nlohmann::json> facts;
  for (const std::string& text : comm.gather_texts(facts_of_this_rank(compute).dump())) {
    facts.push_back(nlohmann::json::parse(text));
  }
  Job job;
  for (std::size_t rank = 0; rank < leaders.size(); ++rank) {
    const auto first = static_cast<std::size_t>(leaders[rank]);
    if (first == rank) job.hosts.emplace_back().name = cores[rank].host;
    job.host_of.push_back(first == rank ? job.hosts.size() - 1 : job.host_of[first]);
    Host& host = job.hosts[job.host_of.back()];
    host.ranks.push_back(rank);
    host.cores.insert(host.cores.end(), cores[rank].cores.begin(), cores[rank].cores.end());
  }
  job.here = job.host_of[static_cast<std::size_t>(comm.rank())];
  std::set<std::string> names;
  for (Host& host : job.hosts) {
    if (!names.insert(host.name).second) host.name += fmt::format("#{}", names.size());
    std::sort(host.cores.begin(), host.cores.end());
    host.cores.erase(std::unique(host.cores.begin(), host.cores.end()), host.cores.end());
    const nlohmann::json& found = facts[host.ranks.front()];
    host.online = found["online"];
    host.physical = found["physical"];
    host.kernel = found["kernel"];
    host.vectors = found["vectors"];
    host.memory = found["memory"];
    host.available = found["available"];
    host.shared = found["shared"];
    host.binding = binding_of(host, cores);
  }
  for (const char* name : {"lockstep", "MPI", "BLAS", "HDF5"})
    job.versions.emplace_back(name, facts[0]["versions"][name]);
  compare_versions(job, facts, findings);
  for (std::string& text : machine_warnings(comm, compute)) findings.warnings.push_back(std::move(text));
  return job;
}

}  // namespace lockstep::cli
