#include "comm/launch.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace lockstep {
namespace {

// Slurm numbers the steps that are no job of tasks (a batch script, the shell of salloc) from the top down.
constexpr std::int64_t kFirstSpecialStep = 0xfffffff0;

std::optional<std::int64_t> read_number(Environment environment, const char* name) {
  const char* text = environment(name);
  if (text == nullptr) return {};
  const std::string_view digits(text);
  std::int64_t number = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || stop != digits.data() + digits.size()) return {};
  return number;
}

// The innermost launcher is the one that counts. An mpirun within a batch job starts its daemons by srun, so its ranks
// see a step of Slurm's too; a batch script sees the job's number of tasks and is one process.
void read_promise(Environment environment, Launch& launch) {
  const auto note = [&](std::int64_t tasks, const char* launcher, const char* variable) {
    launch.tasks = tasks;
    launch.launcher = launcher;
    launch.variable = variable;
  };
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE"}) {
    if (const auto tasks = read_number(environment, name)) return note(*tasks, "mpirun", name);
  }
  const auto step = read_number(environment, "SLURM_STEP_ID");
  const bool in_step = step && *step < kFirstSpecialStep && environment("SLURM_PROCID") != nullptr;
  if (const auto tasks = read_number(environment, "PMI_SIZE")) {
    return note(*tasks, in_step ? "srun" : "mpiexec", "PMI_SIZE");
  }
  if (in_step) {
    for (const char* name : {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"}) {
      if (const auto tasks = read_number(environment, name)) return note(*tasks, "srun", name);
    }
  }
}

}  // namespace

Launch read_launch(Environment environment) {
  Launch launch;
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK", "SLURM_PROCID"}) {
    if (const char* rank = environment(name)) {
      launch.rank = std::atoi(rank);
      break;
    }
  }
  launch.local_rank = launch.rank;
  for (const char* name :
       {"OMPI_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"}) {
    if (const auto rank = read_number(environment, name)) {
      launch.local_rank = *rank;
      break;
    }
  }
  read_promise(environment, launch);
  if (const auto here = read_number(environment, "OMPI_COMM_WORLD_LOCAL_SIZE")) {
    launch.several_hosts = *here < launch.tasks;
  } else if (std::string_view(launch.launcher) == "srun") {
    launch.several_hosts = read_number(environment, "SLURM_STEP_NUM_NODES").value_or(1) > 1;
  }
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMIX_NAMESPACE", "PMI_RANK", "PMI_FD"}) {
    if (environment(name) != nullptr) launch.connected = true;
  }
  return launch;
}

std::optional<std::string> find_split_job(const Launch& launch, std::optional<int> ranks, const std::string& library) {
  const bool slurm = std::string_view(launch.launcher) == "srun";
  // "Open MPI v4.1.4, package: ..." and "MPICH Version:\t4.0.2\n..."
  const std::string name = library.substr(0, library.find_first_of(",\n"));
  if (!ranks) {
    // An Open MPI that was built for Slurm's PMI-2 or PMI-1 does without PMIx, but is not worse off with --mpi=pmi2.
    if (!slurm || launch.tasks < 2 || launch.connected || !library.starts_with("Open MPI")) return {};
  } else if (launch.tasks <= *ranks) {
    return {};
  }
  const std::string seen = !ranks        ? "told them nothing of each other"
                           : *ranks == 1 ? "MPI sees this one alone"
                                         : fmt::format("MPI sees {}", *ranks);
  const std::string way =
      slurm ? "try srun --mpi=pmix (or another that srun --mpi=list names and this MPI knows), or mpirun"
            : "it may belong to another MPI; try the mpirun";
  return fmt::format(
      "{} started {} tasks ({}), but {}: each would train on its own; {} of the MPI that lockstep was "
      "built with, which is {}",
      launch.launcher, launch.tasks, launch.variable, seen, way, name);
}

}  // namespace lockstep
