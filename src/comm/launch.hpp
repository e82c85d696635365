// What started this process, by its environment: how many tasks a launcher promised, and whether MPI sees them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/function_ref.hpp"

namespace lockstep {

/// The value of a variable of the environment, or null, as std::getenv has it.
using Environment = FunctionRef<const char*(const char*)>;

/// What a launcher told this process. To be read before MPI starts, which sets some of these variables itself.
struct Launch {
  int rank = 0;
  std::int64_t local_rank = 0;  ///< among those of this host; as `rank` where that is not told
  std::int64_t tasks = 1;
  const char* launcher = "";   ///< "srun"; empty without one
  const char* variable = "";   ///< that tells `tasks`
  bool several_hosts = false;  ///< the tasks are not all on this host
  bool connected = false;      ///< there is something through which an MPI library may find the other tasks
};

[[nodiscard]] Launch read_launch(Environment environment);

/// Tasks that were to be the ranks of one job and are jobs of one each, side by side, each of which would train alone:
/// what was promised, what MPI sees, and what to try; nothing when all is well.
/// `ranks`: of MPI_COMM_WORLD; nothing as long as MPI has not started. Then only that is told on which Open MPI would
/// end each process in MPI_Init, with a page of text. `library`: MPI_Get_library_version's text.
[[nodiscard]] std::optional<std::string> find_split_job(const Launch& launch, std::optional<int> ranks,
                                                        const std::string& library);

}  // namespace lockstep
