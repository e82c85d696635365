#include "comm/clocks.hpp"

#include <mpi.h>

#include <cmath>
#include <limits>

#include "comm/timeline.hpp"

namespace lockstep {
namespace {

constexpr int kRounds = 10;
constexpr int kTag = 1;

void answer(const Communicator& comm, int rank) {
  for (int round = 0; round < kRounds; ++round) {
    std::int64_t time = 0;
    check_mpi(MPI_Recv(&time, 1, MPI_INT64_T, rank, kTag, comm.get(), MPI_STATUS_IGNORE), "MPI_Recv");
    time = Timeline::clock_now();
    check_mpi(MPI_Send(&time, 1, MPI_INT64_T, rank, kTag, comm.get()), "MPI_Send");
  }
}

// The quickest of some questions and answers; the answer was given in the middle of it (Cristian 1989).
ClockReading ask(const Communicator& comm) {
  ClockReading reading;
  std::int64_t quickest = std::numeric_limits<std::int64_t>::max();
  for (int round = 0; round < kRounds; ++round) {
    std::int64_t time = 0;
    const std::int64_t asked = Timeline::clock_now();
    check_mpi(MPI_Send(&time, 1, MPI_INT64_T, 0, kTag, comm.get()), "MPI_Send");
    check_mpi(MPI_Recv(&time, 1, MPI_INT64_T, 0, kTag, comm.get(), MPI_STATUS_IGNORE), "MPI_Recv");
    const std::int64_t answered = Timeline::clock_now();
    if (answered - asked >= quickest) continue;
    quickest = answered - asked;
    reading = {.here = answered, .ahead = asked + quickest / 2 - time};
  }
  return reading;
}

}  // namespace

ClockReading compare_clocks(const Communicator& comm) {
  const Waiting waiting(comm.pulse());
  ClockReading reading{.here = Timeline::clock_now()};
  for (int rank = 1; rank < comm.size(); ++rank) {  // one host at a time, or they would wait for each other
    const bool first_of_host = comm.hosts_of_ranks()[static_cast<std::size_t>(rank)] == rank;
    if (!first_of_host) continue;
    if (comm.is_root()) answer(comm, rank);
    if (comm.rank() == rank) reading = ask(comm);
  }
  check_mpi(MPI_Bcast(&reading.ahead, 1, MPI_INT64_T, 0, comm.node()), "MPI_Bcast");
  check_mpi(MPI_Bcast(&reading.here, 1, MPI_INT64_T, 0, comm.node()), "MPI_Bcast");
  return reading;
}

std::int64_t on_root_clock(std::int64_t time, const ClockReading& first, const ClockReading& last) noexcept {
  if (last.here <= first.here) return time - first.ahead;
  const double share = static_cast<double>(time - first.here) / static_cast<double>(last.here - first.here);
  return time - first.ahead - std::llround(share * static_cast<double>(last.ahead - first.ahead));
}

}  // namespace lockstep
