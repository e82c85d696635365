// Moves slices of the gradient and of the weights between hosts while this rank computes.
//
// Each lane has communicators of its own, with one rank of every host. A bucket goes out in one MPI_Ialltoallv a lane
// (what other hosts need of this host's partial sums, in exchange for what this host needs of theirs) and comes back in
// one MPI_Iallgatherv. Open MPI moves little by itself: poll() often.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/exchange.hpp"
#include "comm/placement.hpp"
#include "core/buffer.hpp"

namespace lockstep {

class HostLink {
 public:
  /// `nodes` [hosts]: partial sums that each host sends. `blocks`, `buckets` and `placement` must outlive this.
  /// Collective. Errors: comm.
  HostLink(const Communicator& comm, const Placement& placement, std::span<const Block> blocks,
           std::span<const Bucket> buckets, std::vector<std::size_t> nodes, Wire wire);
  HostLink(const HostLink&) = delete;
  HostLink& operator=(const HostLink&) = delete;
  /// Collective, except while an exception is on its way, after MPI_Finalize or where this rank has given up waiting.
  ~HostLink();

  /// This rank's lanes.
  [[nodiscard]] Range lanes() const noexcept { return lanes_; }
  [[nodiscard]] std::size_t slice(std::size_t host, std::size_t lane) const noexcept {
    return host * placement_.lanes() + lane;
  }
  /// Whether this rank is its host's first, which carries lane 0.
  [[nodiscard]] bool leads() const noexcept { return lanes_.begin == 0; }

  /// Where partial sum `node` of this host's slice for `host` is to be put, T as wide as the wire; other hosts only.
  template <class T>
  [[nodiscard]] std::span<T> outgoing(std::size_t bucket, std::size_t lane, std::size_t host, std::size_t node) {
    const Transfer& t = transfer(bucket, lane);
    const std::size_t size = elements_of(blocks_, buckets_[bucket].blocks(slice(host, lane))).size();
    return part<T>(outgoing_, t.outgoing + static_cast<std::size_t>(t.send_starts[host]) + node * size, size);
  }
  /// Partial sum `node` of `host` over this host's slice, once reduced() has come past the bucket.
  template <class T>
  [[nodiscard]] std::span<const T> incoming(std::size_t bucket, std::size_t lane, std::size_t host, std::size_t node) {
    const Transfer& t = transfer(bucket, lane);
    const std::size_t size = elements_of(blocks_, buckets_[bucket].blocks(slice(host_, lane))).size();
    return part<T>(incoming_, t.incoming + static_cast<std::size_t>(t.receive_starts[host]) + node * size, size);
  }

  /// Starts a step: nothing is reduced. All gathers must have ended.
  void reset();
  /// Sends the next bucket's outgoing parts; buckets go in their order.
  void start_reduce();
  /// Buckets that start_reduce() was called for, and those whose incoming parts are all there.
  [[nodiscard]] std::size_t reducing() const noexcept { return reduces_.started / lanes_.size(); }
  [[nodiscard]] std::size_t reduced() const noexcept { return reduces_.ended / lanes_.size(); }

  /// Sends this host's slices of `bucket`, which lie in `arena` (as wide as the wire), and takes those of the others
  /// into it.
  void start_gather(std::size_t bucket, void* arena);
  /// Buckets since reset() that start_gather() was called for, and those that are there, in the order of the calls.
  [[nodiscard]] std::size_t gathering() const noexcept { return gathers_.started / lanes_.size(); }
  [[nodiscard]] std::size_t gathered() const noexcept { return gathers_.ended / lanes_.size(); }

  /// For leaders: `all` is in parts, one a host, from `starts` [hosts + 1] on; gives one's own and takes the others.
  void start_share(std::span<std::byte> all, std::span<const std::size_t> starts);
  [[nodiscard]] bool shared() const noexcept { return share_ == MPI_REQUEST_NULL; }

  /// Moves on what is under way.
  void poll();

  /// For leaders, blocking; rank 0 is the first. Collective over them.
  void broadcast(std::span<float> values) const;
  /// Copies `mine` of every leader to `all` [hosts] of the first.
  void gather_at_first(std::span<const float> mine, std::span<const std::span<float>> all) const;
  void scatter_from_first(std::span<float> mine, std::span<const std::span<float>> all) const;

  /// Bytes of what waits to be sent or has been received, on the rank in place `place` of `host`, before there is a
  /// link; and on this rank.
  [[nodiscard]] static std::size_t bytes_needed(const Placement& placement, std::span<const Block> blocks,
                                                std::span<const Bucket> buckets, std::span<const std::size_t> nodes,
                                                Wire wire, std::size_t host, std::size_t place);
  [[nodiscard]] std::size_t bytes() const noexcept { return outgoing_.size() + incoming_.size(); }

 private:
  // A bucket on a lane. MPI looks at the counts until the transfer has ended.
  struct Transfer {
    std::vector<int> send_counts, send_starts, receive_counts, receive_starts;  // [hosts]
    std::vector<int> slice_counts, slice_starts;                                // [hosts], of the bucket's elements
    std::size_t outgoing = 0, incoming = 0;                                     // where they begin, in elements
  };
  struct Requests {
    std::vector<MPI_Request> all;  // [buckets * lanes]
    std::size_t started = 0;
    std::size_t ended = 0;
    void poll();
  };

  [[nodiscard]] const Transfer& transfer(std::size_t bucket, std::size_t lane) const {
    return transfers_[bucket * lanes_.size() + lane - lanes_.begin];
  }
  template <class T>
  [[nodiscard]] std::span<T> part(Buffer<std::byte>& memory, std::size_t begin, std::size_t size) {
    return {reinterpret_cast<T*>(memory.view().data()) + begin, size};
  }
  void plan(const Communicator& comm, std::span<const std::size_t> nodes);
  [[nodiscard]] bool end_requests();

  Pulse& pulse_;
  const Placement& placement_;
  std::span<const Block> blocks_;
  std::span<const Bucket> buckets_;
  std::size_t host_;
  Range lanes_;
  MPI_Datatype type_;
  std::size_t width_;                      // bytes of an element on the wire
  std::vector<MPI_Comm> reduce_, gather_;  // [own lanes]
  MPI_Comm leaders_ = MPI_COMM_NULL;       // of lane 0, with one rank of every host
  std::vector<Transfer> transfers_;        // [buckets][own lanes]
  Buffer<std::byte> outgoing_, incoming_;
  Requests reduces_, gathers_;
  MPI_Request share_ = MPI_REQUEST_NULL;
  std::vector<int> share_counts_, share_starts_;
  int exceptions_at_start_;
};

}  // namespace lockstep
