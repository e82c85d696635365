#include "comm/interfaces.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <bit>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "core/folder_names.hpp"

namespace lockstep {
namespace {

std::uint32_t address_of(const sockaddr* of) {
  return ntohl(reinterpret_cast<const sockaddr_in*>(of)->sin_addr.s_addr);
}

std::string text_of(std::uint32_t address, int prefix) {
  return fmt::format("{}.{}.{}.{}/{}", address >> 24U, address >> 16U & 255U, address >> 8U & 255U, address & 255U,
                     prefix);
}

std::uint32_t network_of(const Interface& interface) {
  return interface.prefix == 0 ? 0 : interface.address & ~0U << static_cast<unsigned>(32 - interface.prefix);
}

// Of Docker, Podman, libvirt, LXC, Kubernetes, VirtualBox, VMware: a bridge may have another name, and one of these
// names may be no bridge.
bool is_inner(const std::string& name) {
  constexpr std::array<std::string_view, 11> kNames{"docker", "br-",  "podman",  "virbr", "lxcbr", "lxdbr",
                                                    "cni",    "cali", "vboxnet", "vmnet", "veth"};
  if (std::ranges::any_of(kNames, [&](std::string_view start) { return name.starts_with(start); })) return true;
  const std::filesystem::path folder = "/sys/class/net/" + name;
  std::error_code error;
  if (!std::filesystem::is_directory(folder / "bridge", error)) return false;
  // A bridge that a real card is a port of joins hosts.
  for (const std::string& port : names_in((folder / "brif").string(), error)) {
    if (std::filesystem::exists("/sys/class/net/" + port + "/device", error)) return false;
  }
  return true;
}

}  // namespace

std::vector<Interface> list_interfaces() {
  std::vector<Interface> found;
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return found;
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET || one->ifa_netmask == nullptr) continue;
    if ((one->ifa_flags & IFF_UP) == 0 || (one->ifa_flags & IFF_LOOPBACK) != 0) continue;
    const std::string name = one->ifa_name;
    found.push_back({name, address_of(one->ifa_addr), std::popcount(address_of(one->ifa_netmask)), is_inner(name)});
  }
  freeifaddrs(first);
  return found;
}

std::string network_advice(std::span<const Interface> interfaces, const std::string& host, Environment environment) {
  std::vector<std::string> all;
  std::vector<std::string> networks;
  for (const Interface& one : interfaces) {
    all.push_back(
        fmt::format("{} {}{}", one.name, text_of(one.address, one.prefix),
                    one.inner ? " (for containers or virtual machines: other hosts may have that address too)" : ""));
    const std::string network = text_of(network_of(one), one.prefix);
    if (!one.inner && std::ranges::find(networks, network) == networks.end()) networks.push_back(network);
  }
  const auto join = [](const std::vector<std::string>& texts, const char* by) {
    return fmt::format("{}", fmt::join(texts, by));
  };
  std::string text = "though MPI has started";
  for (const char* name : {"btl_tcp_if_include", "btl_tcp_if_exclude"}) {
    const char* const value = environment(("OMPI_MCA_" + std::string(name)).c_str());
    if (value != nullptr) text += fmt::format(", with {} {}", name, value);
  }
  text += fmt::format(". Over TCP it takes every interface that is up; {} has {}", host,
                      all.empty() ? "none that is known" : join(all, ", "));
  const std::string way = networks.empty() ? "NETWORK" : networks.front();
  text += fmt::format(
      ". Name the one network that joins the hosts: mpirun --mca btl_tcp_if_include {0} --mca "
      "oob_tcp_if_include {0}",
      way);
  if (networks.size() > 1) {
    networks.erase(networks.begin());
    text += fmt::format(" (or {})", join(networks, ", "));
  }
  return text + ". If that is so already, a firewall between them may be in the way";
}

}  // namespace lockstep
