#include "comm/host_link.hpp"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <utility>

#include "comm/patience.hpp"
#include "core/convert.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 28U;  // elements of one MPI call, well below INT_MAX

MPI_Comm split(const Communicator& comm, bool member, std::size_t host) {
  MPI_Comm part = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(comm.get(), member ? 0 : MPI_UNDEFINED, narrow<int>(host), &part), "MPI_Comm_split");
  if (part != MPI_COMM_NULL) {
    check_mpi(MPI_Comm_set_errhandler(part, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  }
  return part;
}

std::size_t width_of(Wire wire) {
  return wire == Wire::float32 ? sizeof(float) : sizeof(std::uint16_t);
}

// Elements that a rank of `host` sends to `other` and takes from it, in a bucket on a lane. `nodes` [hosts]: partial
// sums that each host sends.
struct Moved {
  std::size_t sent = 0;
  std::size_t taken = 0;
};
Moved moved_with(std::size_t other, std::size_t host, std::size_t own_slice, std::size_t their_slice,
                 std::span<const std::size_t> nodes) {
  if (other == host) return {};
  return {.sent = nodes[host] * their_slice, .taken = nodes[other] * own_slice};
}

template <class Move>
void in_pieces(std::size_t size, Move move) {
  for (std::size_t begin = 0; begin < size; begin += kPiece) {
    move(begin, static_cast<int>(std::min(kPiece, size - begin)));
  }
}

}  // namespace

HostLink::HostLink(const Communicator& comm, const Placement& placement, std::span<const Block> blocks,
                   std::span<const Bucket> buckets, std::vector<std::size_t> nodes, Wire wire)
    : pulse_(comm.pulse()),
      placement_(placement),
      blocks_(blocks),
      buckets_(buckets),
      host_(placement.host_of(static_cast<std::size_t>(comm.rank()))),
      lanes_(placement.lanes_of(host_, static_cast<std::size_t>(comm.node_rank()))),
      type_(wire == Wire::float32 ? MPI_FLOAT : MPI_UINT16_T),
      width_(width_of(wire)),
      exceptions_at_start_(std::uncaught_exceptions()) {
  comm.assemble();
  {
    const Waiting waiting(comm.pulse());
    for (std::size_t lane = 0; lane < placement.lanes(); ++lane) {
      const bool mine = lanes_.contains(lane);
      for (std::vector<MPI_Comm>* comms : {&reduce_, &gather_}) {
        const MPI_Comm part = split(comm, mine, host_);
        if (mine) comms->push_back(part);
      }
    }
    leaders_ = split(comm, leads(), host_);
  }
  plan(comm, nodes);
  for (Requests* requests : {&reduces_, &gathers_}) requests->all.assign(transfers_.size(), MPI_REQUEST_NULL);
}

std::size_t HostLink::bytes_needed(const Placement& placement, std::span<const Block> blocks,
                                   std::span<const Bucket> buckets, std::span<const std::size_t> nodes, Wire wire,
                                   std::size_t host, std::size_t place) {
  std::size_t elements = 0;
  const Range lanes = placement.lanes_of(host, place);
  for (const Bucket& bucket : buckets) {
    for (std::size_t lane = lanes.begin; lane < lanes.end; ++lane) {
      const auto size = [&](std::size_t of) {
        return elements_of(blocks, bucket.blocks(of * placement.lanes() + lane)).size();
      };
      for (std::size_t other = 0; other < placement.hosts(); ++other) {
        const Moved moved = moved_with(other, host, size(host), size(other), nodes);
        elements += moved.sent + moved.taken;
      }
    }
  }
  return elements * width_of(wire);
}

void HostLink::plan(const Communicator& comm, std::span<const std::size_t> nodes) {
  const std::size_t hosts = placement_.hosts();
  std::size_t outgoing = 0;
  std::size_t incoming = 0;
  for (const Bucket& bucket : buckets_) {
    const std::size_t first = elements_of(blocks_, bucket.blocks()).begin;
    for (std::size_t lane = lanes_.begin; lane < lanes_.end; ++lane) {
      Transfer t;
      t.outgoing = outgoing;
      t.incoming = incoming;
      const std::size_t own = elements_of(blocks_, bucket.blocks(slice(host_, lane))).size();
      for (std::size_t host = 0; host < hosts; ++host) {
        const Range elements = elements_of(blocks_, bucket.blocks(slice(host, lane)));
        t.slice_counts.push_back(narrow<int>(elements.size()));
        t.slice_starts.push_back(elements.empty() ? 0 : narrow<int>(elements.begin - first));
        t.send_starts.push_back(narrow<int>(outgoing - t.outgoing));
        t.receive_starts.push_back(narrow<int>(incoming - t.incoming));
        const Moved moved = moved_with(host, host_, own, elements.size(), nodes);
        t.send_counts.push_back(narrow<int>(moved.sent));
        t.receive_counts.push_back(narrow<int>(moved.taken));
        outgoing += static_cast<std::size_t>(t.send_counts.back());
        incoming += static_cast<std::size_t>(t.receive_counts.back());
      }
      transfers_.push_back(std::move(t));
    }
  }
  comm.together([&] {
    outgoing_ = Buffer<std::byte>(outgoing * width_);
    incoming_ = Buffer<std::byte>(incoming * width_);
  });
}

HostLink::~HostLink() {
  int finalized = 0;
  const bool unwinds = std::uncaught_exceptions() > exceptions_at_start_;
  const bool over = MPI_Finalized(&finalized) != MPI_SUCCESS || finalized != 0;
  if (over || gave_up(pulse_) || !end_requests()) {
    // MPI may still look at them and write to them.
    static_cast<void>(new auto(std::move(outgoing_)));
    static_cast<void>(new auto(std::move(incoming_)));
    static_cast<void>(new auto(std::move(transfers_)));
    static_cast<void>(new auto(std::move(share_counts_)));
    static_cast<void>(new auto(std::move(share_starts_)));
    return;
  }
  if (unwinds) return;
  for (std::vector<MPI_Comm>* comms : {&reduce_, &gather_}) {
    for (MPI_Comm& part : *comms) MPI_Comm_free(&part);
  }
  if (leaders_ != MPI_COMM_NULL) MPI_Comm_free(&leaders_);
}

// An error that all ranks have leaves nothing under way for long; one of this rank alone may.
bool HostLink::end_requests() {
  const auto start = std::chrono::steady_clock::now();
  const auto over = [&] {
    return reduces_.ended == reduces_.started && gathers_.ended == gathers_.started && shared();
  };
  try {
    while (!over()) {
      poll();
      if (std::chrono::steady_clock::now() - start > std::chrono::seconds(2)) return false;
      sched_yield();
    }
  } catch (const Error&) {
    return false;
  }
  return true;
}

void HostLink::reset() {
  reduces_.started = reduces_.ended = 0;
  gathers_.started = gathers_.ended = 0;
}

void HostLink::start_reduce() {
  const std::size_t bucket = reducing();
  for (std::size_t lane = lanes_.begin; lane < lanes_.end; ++lane) {
    const Transfer& t = transfer(bucket, lane);
    check_mpi(
        MPI_Ialltoallv(outgoing_.view().data() + t.outgoing * width_, t.send_counts.data(), t.send_starts.data(), type_,
                       incoming_.view().data() + t.incoming * width_, t.receive_counts.data(), t.receive_starts.data(),
                       type_, reduce_[lane - lanes_.begin], &reduces_.all[reduces_.started]),
        "MPI_Ialltoallv");
    ++reduces_.started;
  }
}

void HostLink::start_gather(std::size_t bucket, void* arena) {
  const std::size_t first = elements_of(blocks_, buckets_[bucket].blocks()).begin;
  for (std::size_t lane = lanes_.begin; lane < lanes_.end; ++lane) {
    const Transfer& t = transfer(bucket, lane);
    check_mpi(
        MPI_Iallgatherv(MPI_IN_PLACE, 0, type_, static_cast<std::byte*>(arena) + first * width_, t.slice_counts.data(),
                        t.slice_starts.data(), type_, gather_[lane - lanes_.begin], &gathers_.all[gathers_.started]),
        "MPI_Iallgatherv");
    ++gathers_.started;
  }
}

void HostLink::start_share(std::span<std::byte> all, std::span<const std::size_t> starts) {
  share_counts_.clear();
  share_starts_.clear();
  for (std::size_t host = 0; host + 1 < starts.size(); ++host) {
    share_counts_.push_back(narrow<int>(starts[host + 1] - starts[host]));
    share_starts_.push_back(narrow<int>(starts[host]));
  }
  check_mpi(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_BYTE, all.data(), share_counts_.data(), share_starts_.data(), MPI_BYTE,
                            leaders_, &share_),
            "MPI_Iallgatherv");
}

void HostLink::Requests::poll() {
  while (ended < started) {
    int done = 0;
    check_mpi(MPI_Test(&all[ended], &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done == 0) return;
    ++ended;
  }
}

void HostLink::poll() {
  reduces_.poll();
  gathers_.poll();
  if (shared()) return;
  int done = 0;
  check_mpi(MPI_Test(&share_, &done, MPI_STATUS_IGNORE), "MPI_Test");
}

void HostLink::broadcast(std::span<float> values) const {
  assemble(leaders_, pulse_);
  in_pieces(values.size(), [&](std::size_t begin, int count) {
    check_mpi(MPI_Bcast(values.data() + begin, count, MPI_FLOAT, 0, leaders_), "MPI_Bcast");
  });
}

void HostLink::gather_at_first(std::span<const float> mine, std::span<const std::span<float>> all) const {
  assemble(leaders_, pulse_);
  if (host_ != 0) {
    in_pieces(mine.size(), [&](std::size_t begin, int count) {
      check_mpi(MPI_Send(mine.data() + begin, count, MPI_FLOAT, 0, 0, leaders_), "MPI_Send");
    });
    return;
  }
  std::ranges::copy(mine, all[0].begin());
  for (std::size_t host = 1; host < all.size(); ++host) {
    in_pieces(all[host].size(), [&](std::size_t begin, int count) {
      check_mpi(MPI_Recv(all[host].data() + begin, count, MPI_FLOAT, narrow<int>(host), 0, leaders_, MPI_STATUS_IGNORE),
                "MPI_Recv");
    });
  }
}

void HostLink::scatter_from_first(std::span<float> mine, std::span<const std::span<float>> all) const {
  assemble(leaders_, pulse_);
  if (host_ != 0) {
    in_pieces(mine.size(), [&](std::size_t begin, int count) {
      check_mpi(MPI_Recv(mine.data() + begin, count, MPI_FLOAT, 0, 0, leaders_, MPI_STATUS_IGNORE), "MPI_Recv");
    });
    return;
  }
  std::ranges::copy(all[0], mine.begin());
  for (std::size_t host = 1; host < all.size(); ++host) {
    in_pieces(all[host].size(), [&](std::size_t begin, int count) {
      check_mpi(MPI_Send(all[host].data() + begin, count, MPI_FLOAT, narrow<int>(host), 0, leaders_), "MPI_Send");
    });
  }
}

}  // namespace lockstep
