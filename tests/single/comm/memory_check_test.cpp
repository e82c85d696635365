// What does not fit into memory, and what is said of it.
#include "comm/memory_check.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

constexpr std::size_t kMB = 1'000'000;
constexpr std::size_t kPlenty = 1'000'000 * kMB;

MemoryLimit machine(std::size_t megabytes) {
  return {.kind = MemoryLimit::Kind::machine, .name = "/proc/meminfo", .room = megabytes * kMB};
}
MemoryLimit group(std::string id, std::size_t megabytes) {
  return {.kind = MemoryLimit::Kind::group, .id = std::move(id), .name = "/sys/fs/cgroup", .room = megabytes * kMB};
}
MemoryLimit address_space(std::size_t megabytes) {
  return {.kind = MemoryLimit::Kind::address_space, .name = "ulimit -v", .room = megabytes * kMB};
}

RankMemory rank_of(int host, int rank, MemoryNeed need, const MemoryLimit& limit) {
  return {.host = host, .host_name = host == 0 ? "a" : "b", .rank = rank, .need = need, .limits = {limit}};
}

// `ranks` ranks of host "a", of one limit.
std::vector<RankMemory> host(int ranks, MemoryNeed need, const MemoryLimit& limit) {
  std::vector<RankMemory> all;
  for (int rank = 0; rank < ranks; ++rank) all.push_back(rank_of(0, rank, need, limit));
  return all;
}

std::string shortage(const std::vector<RankMemory>& ranks) {
  return find_shortage(ranks, {.what = "it", .way_out = "less", .way_out_on_host = "together"}).value_or("fits");
}

TEST(MemoryCheck, AddsUpWhatTheRanksOfAHostNeed) {
  const MemoryNeed need{.own = 100 * kMB, .shared = 50 * kMB};
  EXPECT_EQ(shortage(host(3, need, machine(350))), "fits");  // to the byte, shared memory once
  EXPECT_EQ(
      shortage(host(3, need, machine(349))),
      "it needs 350.0 MB of memory on host a (3 ranks of up to 100.0 MB, 50.0 MB that the ranks of the host share); "
      "349.0 MB are available, free swap included (/proc/meminfo). Ways out: fewer ranks a host, or together, or "
      "less, or hosts with more memory");
  EXPECT_EQ(shortage(host(1, {.own = 350 * kMB}, machine(349))),
            "it needs 350.0 MB of memory on host a; 349.0 MB are available, free swap included (/proc/meminfo). Ways "
            "out: together, or less, or hosts with more memory");
}

TEST(MemoryCheck, LooksAtEveryHost) {
  std::vector<RankMemory> ranks = host(2, {.own = 100 * kMB}, machine(200));
  ranks.push_back(rank_of(1, 2, {.own = 100 * kMB}, machine(99)));
  EXPECT_EQ(shortage(ranks).substr(0, 37), "it needs 100.0 MB of memory on host b");
  ranks.back().limits = {machine(100)};
  EXPECT_EQ(shortage(ranks), "fits");
}

TEST(MemoryCheck, CountsARankOnlyInItsOwnGroup) {
  std::vector<RankMemory> ranks = host(2, {.own = 100 * kMB, .shared = 500 * kMB}, group("1", 100));
  ranks[1].limits = {group("2", 100)};
  EXPECT_EQ(shortage(ranks), "fits");  // whose group the shared memory is of cannot be told
  ranks[1].limits = {group("1", 100)};
  EXPECT_NE(
      shortage(ranks).find("it needs 700.0 MB of memory on host a (2 ranks of up to 100.0 MB, 500.0 MB that the ranks "
                           "of the host share); the control group has 100.0 MB left (/sys/fs/cgroup)"),
      std::string::npos)
      << shortage(ranks);
  EXPECT_NE(shortage(ranks).find("more memory for the job"), std::string::npos);
}

// Another rank may have looked a moment later, when there was less.
TEST(MemoryCheck, BelievesTheLargestRoomThatARankSaw) {
  std::vector<RankMemory> ranks = host(2, {.own = 100 * kMB}, machine(199));
  ranks[1].limits = {machine(200)};
  EXPECT_EQ(shortage(ranks), "fits");
}

TEST(MemoryCheck, OfAddressSpaceIsForEachRankAlone) {
  std::vector<RankMemory> ranks = host(3, {.own = 60 * kMB, .shared = 40 * kMB}, address_space(100));
  EXPECT_EQ(shortage(ranks), "fits");
  ranks[2].limits = {address_space(99)};
  EXPECT_EQ(
      shortage(ranks),
      "it needs 100.0 MB of memory on rank 2 on a (40.0 MB that the ranks of the host share); the limit of address "
      "space leaves 99.0 MB (ulimit -v). Ways out: less, or a higher limit (ulimit -v)");
}

TEST(MemoryCheck, ACheckpointNeedsTheMachinesMemoryButNoAddressSpace) {
  const MemoryNeed need{.own = 100 * kMB, .later = 30 * kMB};
  EXPECT_EQ(shortage(host(1, need, address_space(100))), "fits");  // without, it is told and tried again
  EXPECT_NE(shortage(host(1, need, machine(129)))
                .find("130.0 MB of memory on host a (30.0 MB on rank 0 to write a checkpoint)"),
            std::string::npos);
  EXPECT_EQ(shortage(host(1, need, machine(130))), "fits");
}

TEST(MemoryCheck, NothingKnownIsNoShortage) {
  EXPECT_EQ(shortage({{.need = {.own = kPlenty}}}), "fits");
  EXPECT_EQ(shortage({}), "fits");
}

}  // namespace
}  // namespace lockstep
