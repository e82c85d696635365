// The network cards of this host, as far as they matter to MPI: which it may take by mistake.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "comm/launch.hpp"

namespace lockstep {

/// An IPv4 address of an interface that is up.
struct Interface {
  std::string name;
  std::uint32_t address = 0;  ///< the first byte is the highest
  int prefix = 0;             ///< bits of the network
  bool inner = false;         ///< joins containers or virtual machines of this host, not hosts
};

/// Those of this host but for the loopback. Empty where the system does not tell.
[[nodiscard]] std::vector<Interface> list_interfaces();

/// What may be wrong where no message comes through between hosts, and what to try, as the rest of a sentence. MPI's
/// TCP takes all interfaces that `environment` does not keep it from, and one whose address another host has too leads
/// each of them back to itself.
[[nodiscard]] std::string network_advice(std::span<const Interface> interfaces, const std::string& host,
                                         Environment environment);

}  // namespace lockstep
