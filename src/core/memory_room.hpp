// How much more memory this process can get: from the machine, from the control groups that it is in, and by its own
// limit of address space.
//
// Too much rather than too little: what the system would give back under pressure counts as there, and what cannot be
// found out limits nothing.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace lockstep {

struct MemoryLimit {
  enum class Kind {
    machine,        ///< of all processes here
    group,          ///< a control group's (cgroup): of all processes in it
    address_space,  ///< of this process alone; it counts all that is mapped
  };
  Kind kind = Kind::machine;
  std::string id = {};    ///< the same in all processes that share it, unlike that of any other of this kind here
  std::string name = {};  ///< where it is set: /proc/meminfo, the folder of a control group, "ulimit -v"
  std::size_t room = 0;   ///< bytes that can still be had
};

/// What a limit leaves: "1.5 MB are available, ...".
[[nodiscard]] std::string describe(const MemoryLimit& limit);

/// All that limit this process. `root` stands in front of all paths: "" but in tests. Local.
[[nodiscard]] std::vector<MemoryLimit> memory_limits(const std::string& root = "");

/// For one process that is to hold `bytes` more because of `what`; little is not looked at. Local. Errors: config (more
/// than there is).
void require_room(std::size_t bytes, const std::string& what);

}  // namespace lockstep
