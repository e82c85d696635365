// What is told where no message comes through between hosts: the interfaces that MPI may have taken, and which to name.
#include "comm/interfaces.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

namespace lockstep {
namespace {

constexpr std::uint32_t address(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return a << 24U | b << 16U | c << 8U | d;
}

std::string advice(std::vector<Interface> interfaces, std::map<std::string, std::string> variables = {}) {
  return network_advice(interfaces, "a", [&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

void expect_in(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(NetworkAdvice, NamesTheBridgeAndTheNetworkBesideIt) {
  const std::string text =
      advice({{"eth0", address(10, 0, 3, 7), 22, false}, {"docker0", address(172, 17, 0, 1), 16, true}});
  expect_in(text, "a has eth0 10.0.3.7/22, docker0 172.17.0.1/16 (for containers or virtual machines: other hosts may");
  expect_in(text, "mpirun --mca btl_tcp_if_include 10.0.0.0/22 --mca oob_tcp_if_include 10.0.0.0/22.");
  EXPECT_EQ(text.find("172.17.0.0/16"), std::string::npos) << text;
}

TEST(NetworkAdvice, LeavesTheChoiceAmongSeveralNetworks) {
  const std::string text = advice({{"ib0", address(10, 1, 0, 2), 16, false},
                                   {"eth0", address(192, 168, 4, 2), 24, false},
                                   {"eth1", address(192, 168, 4, 3), 24, false}});
  expect_in(text, "--mca oob_tcp_if_include 10.1.0.0/16 (or 192.168.4.0/24)");
}

TEST(NetworkAdvice, TellsWhatIsSetAlready) {
  expect_in(advice({}, {{"OMPI_MCA_btl_tcp_if_include", "eth9"}}), "with btl_tcp_if_include eth9");
  expect_in(advice({}), "a has none that is known");
}

TEST(ListInterfaces, LeavesOutTheLoopback) {
  for (const Interface& one : list_interfaces()) {
    EXPECT_NE(one.address >> 24U, 127U) << one.name;
    EXPECT_GE(one.prefix, 0);
    EXPECT_LE(one.prefix, 32);
  }
}

}  // namespace
}  // namespace lockstep
