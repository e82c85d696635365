#include "journal/machine.hpp"

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "comm/cores.hpp"
#include "core/vector_math.hpp"
#include "io/hdf5.hpp"
#include "lockstep/version.hpp"

namespace lockstep {
namespace {

// As the kernel calls it; empty where it does not.
std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

}  // namespace

nlohmann::ordered_json describe_machine(const Communicator& comm, const Compute& compute) {
  struct Host {
    std::string processor;
    std::size_t ranks = 0;
    std::set<int> cores;
  };
  const std::vector<RankCores> ranks = gather_cores(comm);
  const std::vector<std::string> processors =
      comm.by_launch_rank(comm.gather_texts(comm.node_rank() == 0 ? processor_name() : ""));
  std::map<std::string, Host> hosts;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    Host& host = hosts[ranks[rank].host];
    ++host.ranks;
    host.cores.insert(ranks[rank].cores.begin(), ranks[rank].cores.end());
    if (!processors[rank].empty()) host.processor = processors[rank];
  }
  nlohmann::ordered_json json{
      {"blas_kernel", compute.kernel()}, {"blas_threads", compute.threads()}, {"simd_target", simd_target()}};
  json["versions"] = {
      {"lockstep", kVersion}, {"MPI", mpi_version()}, {"BLAS", compute.version()}, {"HDF5", h5::library_version()}};
  for (const auto& [name, host] : hosts) {
    json["hosts"].push_back(
        {{"name", name}, {"ranks", host.ranks}, {"cores", host.cores.size()}, {"processor", host.processor}});
  }
  return json;
}

}  // namespace lockstep
