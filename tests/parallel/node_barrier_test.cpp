// The barrier in the shared memory of a host: nobody passes early, also where ranks outnumber the cores and counts wrap
// around.
#include "comm/node_barrier.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "comm/node_window.hpp"

namespace lockstep {
namespace {

TEST(NodeBarrier, NobodyPassesBeforeAllHaveCome) {
  const Communicator comm(MPI_COMM_WORLD);
  const auto ranks = static_cast<std::size_t>(comm.node_size());
  const auto rank = static_cast<std::size_t>(comm.node_rank());
  const std::size_t head = NodeBarrier::bytes(ranks);
  const std::size_t bytes = head + ranks * kCacheLine;
  const NodeWindow window(comm, bytes, part_of(bytes, rank, ranks), {"a test", "none"});
  NodeBarrier barrier(window.memory(), rank, ranks);
  // Not atomic on purpose: the barrier must order these plain writes and reads.
  const auto value = [&](std::size_t of) {
    return reinterpret_cast<std::uint32_t*>(window.memory().data() + head + of * kCacheLine);
  };
  for (std::uint32_t round = 1; round <= 2000; ++round) {
    *value(rank) = round;
    barrier.wait();
    for (std::size_t other = 0; other < ranks; ++other) ASSERT_EQ(*value(other), round) << "rank " << other;
    // Bits are those of this round alone, or-ed over the ranks.
    const std::uint32_t all = (1U << ranks) - 1U;
    ASSERT_EQ(barrier.wait(round % 2 == 0 ? 1U << rank : 0U), round % 2 == 0 ? all : 0U);
  }
  comm.barrier();
}

TEST(NodeBarrier, CountsMayWrapAround) {
  const Communicator comm(MPI_COMM_WORLD);
  const auto ranks = static_cast<std::size_t>(comm.node_size());
  const auto rank = static_cast<std::size_t>(comm.node_rank());
  const std::size_t bytes = NodeBarrier::bytes(ranks);
  const NodeWindow window(comm, bytes, part_of(bytes, rank, ranks), {"a test", "none"});
  // As after 2^32 - 3 rounds.
  NodeBarrier barrier(window.memory(), rank, ranks, 0xFFFFFFFDU);
  comm.barrier();
  for (int round = 0; round < 10; ++round) barrier.wait();
  comm.barrier();
  std::uint32_t count = 0;
  std::memcpy(&count, window.memory().data() + rank * kCacheLine, sizeof count);
  EXPECT_EQ(count, 7U);
}

}  // namespace
}  // namespace lockstep
