#include "comm/host_pairs.hpp"

#include <gtest/gtest.h>

#include <set>

namespace lockstep {
namespace {

TEST(HostPairs, OfFewHostsAreAllPairsOnce) {
  for (std::size_t hosts = 1; hosts <= 16; ++hosts) {
    std::set<std::pair<std::size_t, std::size_t>> seen;
    std::size_t count = 0;
    for (const auto& round : host_pairs(hosts)) {
      for (const auto& pair : round) {
        EXPECT_LT(pair.first, pair.second);
        EXPECT_LT(pair.second, hosts);
        seen.insert(pair);
        ++count;
      }
    }
    EXPECT_EQ(seen.size(), hosts * (hosts - 1) / 2) << hosts;
    EXPECT_EQ(count, seen.size()) << hosts;
  }
}

TEST(HostPairs, OfARoundShareNoHost) {
  for (const std::size_t hosts : {2U, 3U, 7U, 16U, 17U, 100U}) {
    for (const auto& round : host_pairs(hosts)) {
      std::set<std::size_t> busy;
      for (const auto& [a, b] : round) {
        EXPECT_TRUE(busy.insert(a).second);
        EXPECT_TRUE(busy.insert(b).second);
      }
    }
  }
}

TEST(HostPairs, OfManyHostsTakeFewRoundsAndLeaveNobodyOut) {
  for (const std::size_t hosts : {17U, 33U, 100U, 1000U}) {
    const auto rounds = host_pairs(hosts);
    EXPECT_LE(rounds.size(), 10U);
    std::set<std::size_t> seen;
    for (const auto& round : rounds) {
      for (const auto& [a, b] : round) seen.insert({a, b});
    }
    EXPECT_EQ(seen.size(), hosts);
  }
}

}  // namespace
}  // namespace lockstep
