// The clocks of hosts compared: here all are one.
#include "comm/clocks.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "comm/timeline.hpp"

namespace lockstep {
namespace {

TEST(CompareClocks, OfOneClockFindsNoMoreThanAMessageTakes) {
  const Communicator world(MPI_COMM_WORLD);
  const Communicator hosts(MPI_COMM_WORLD, Communicator::Order::of_parent, world.rank());  // each rank is a host
  for (const Communicator* comm : {&world, &hosts}) {
    const std::int64_t before = Timeline::clock_now();
    const ClockReading reading = compare_clocks(*comm);
    const std::int64_t after = Timeline::clock_now();
    EXPECT_LE(std::abs(reading.ahead), (after - before) / 2);
    EXPECT_GT(reading.here, 0);
    EXPECT_LE(reading.here, after);
    EXPECT_TRUE(!comm->is_root() || reading.ahead == 0);
  }
}

}  // namespace
}  // namespace lockstep
