// A communicator of our own, and the collectives that lockstep uses.
//
// The caller's communicator is duplicated, so that our traffic never meets theirs, and the duplicate returns errors
// instead of aborting; every call is checked. Counts above INT_MAX are moved in pieces.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/pulse.hpp"
#include "core/buffer.hpp"
#include "core/function_ref.hpp"
#include "core/range.hpp"
#include "lockstep/error.hpp"

namespace lockstep {

/// Throws comm with MPI's text unless `code` is MPI_SUCCESS.
void check_mpi(int code, const char* call);

/// Name and version of the MPI library. Errors: comm.
[[nodiscard]] std::string mpi_version();

/// Waits for `request`: in MPI, or, where the rank's patience is limited, by looking again and again. What MPI was
/// handed must then outlive an error. Errors: comm.
void finish(MPI_Request& request, const Pulse& pulse, const char* call);

/// Where the rank's patience is limited, before a call that blocks in MPI: returns once all ranks of `comm` are here.
/// Collective over it. Errors: comm.
void assemble(MPI_Comm comm, const Pulse& pulse);

/// Whose an error is, where not all have it: a rank's, or, where the ranks of a host do one thing in parts, the host's.
enum class Blame { rank, host };

class Communicator {
 public:
  /// How the ranks are numbered: as in the parent, or so that those of a host follow each other, which keeps what moves
  /// between hosts small wherever the launcher has put the ranks.
  enum class Order { of_parent, by_host };
  /// Collective over `parent`. MPI must be initialised with at least MPI_THREAD_FUNNELED.
  /// `host`: ranks with the same number, which must share memory, count as a host; unset: as they do share it.
  /// `patience`: what limits all waits, this one for the others to come too; it must outlive this. On all ranks or
  /// none. Errors: usage (MPI not initialised, or with less thread support), comm.
  explicit Communicator(MPI_Comm parent, Order order = Order::of_parent, std::optional<int> host = {},
                        Patience* patience = nullptr);
  Communicator(Communicator&& other) noexcept;
  Communicator& operator=(Communicator&&) = delete;
  Communicator(const Communicator&) = delete;
  /// Frees the duplicate; does nothing after MPI_Finalize, or where this rank has given up waiting.
  ~Communicator();

  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return size_; }
  /// The number of a rank in the parent, by which the launcher and messages know it; that of this one.
  [[nodiscard]] int launch_rank(std::size_t rank) const { return launch_ranks_[rank]; }
  [[nodiscard]] int launch_rank() const { return launch_rank(static_cast<std::size_t>(rank_)); }
  /// What is given for each rank, in the order of their numbers in the parent.
  template <class T>
  [[nodiscard]] std::vector<T> by_launch_rank(std::vector<T> values) const {
    std::vector<T> sorted(values.size());
    for (std::size_t rank = 0; rank < values.size(); ++rank) {
      sorted[static_cast<std::size_t>(launch_rank(rank))] = std::move(values[rank]);
    }
    return sorted;
  }
  [[nodiscard]] bool is_root() const noexcept { return rank_ == 0; }
  /// Hosts (shared-memory domains) that hold the ranks.
  [[nodiscard]] int nodes() const noexcept { return nodes_; }
  [[nodiscard]] MPI_Comm get() const noexcept { return comm_; }
  /// The ranks of this host, in the order of their ranks, and this rank's place among them.
  [[nodiscard]] MPI_Comm node() const noexcept { return node_; }
  [[nodiscard]] int node_rank() const noexcept { return node_rank_; }
  [[nodiscard]] int node_size() const noexcept { return node_size_; }
  /// [ranks]: the first rank of each rank's host.
  [[nodiscard]] std::span<const int> hosts_of_ranks() const noexcept { return hosts_of_ranks_; }

  /// Runs `local` on every rank, then agrees: if it threw on any rank, every rank throws the error of the lowest such
  /// rank, marked agreed. What can fail on one rank alone goes through here before the next collective.
  /// The message names that rank where others have not failed; with Blame::host, where another host has not.
  /// What a rank has written before, or within `local`, to memory that a host's ranks share is visible to them after.
  /// Collective. `local` must not communicate.
  void together(FunctionRef<void()> local, Blame blame = Blame::rank) const;

  /// What rank 0 does alone: if it throws, every rank throws. Collective, as together().
  void at_root(FunctionRef<void()> work) const {
    together([&] {
      if (is_root()) work();
    });
  }

  /// Copies `data` of rank 0 to all. Collective.
  void broadcast(std::span<std::byte> data) const;
  void broadcast(std::span<float> values) const { broadcast(std::as_writable_bytes(values)); }
  [[nodiscard]] std::string broadcast_text(const std::string& text) const;

  /// Rank r has filled values[owned(r)]; afterwards all ranks have all. `starts` [size + 1] says where a rank's part
  /// begins. Collective.
  void gather_parts(std::span<double> values, std::span<const std::size_t> starts) const;

  /// `part` of every rank, one behind the other, into `all` of rank 0; `starts` [size + 1] says where each begins.
  /// Takes some megabytes besides. Collective.
  void gather_at_root(std::span<const float> part, std::span<float> all, std::span<const std::size_t> starts) const;

  /// Adds over the ranks, in place. Integer sums do not depend on an order; float sums do. Collective.
  void sum(std::span<std::int64_t> values) const;
  void sum(std::span<float> values) const;
  [[nodiscard]] double max(double value) const;
  [[nodiscard]] std::int64_t sum(std::int64_t value) const;

  /// The text of every rank, on every rank. Collective.
  [[nodiscard]] std::vector<std::string> gather_texts(const std::string& text) const;

  /// Bits of all ranks, or-ed. Collective.
  [[nodiscard]] std::uint32_t combine(std::uint32_t bits) const;

  void barrier() const;

  /// See assemble() above.
  void assemble() const;

  /// Where this rank tells what it does. Every call here that waits for others says so.
  [[nodiscard]] Pulse& pulse() const noexcept { return *pulse_; }
  /// Tells it to `pulse` from now on, which must outlive this communicator and what is made from it; until then it is
  /// told to nobody.
  void attach(Pulse& pulse) noexcept {
    pulse.patience = own_pulse_->patience;
    pulse_ = &pulse;
  }
  /// Tells it to nobody again.
  void detach() noexcept { pulse_ = own_pulse_.get(); }

 private:
  // What the collectives are made of. They block in MPI, or, where the patience is limited, they are tested again and
  // again; then MPI sees only room_, which outlives an error.
  void reduce(std::span<std::byte> values, MPI_Datatype type, std::size_t width, MPI_Op op, MPI_Comm comm) const;
  void broadcast_from(int root, std::span<std::byte> data) const;
  [[nodiscard]] std::span<std::byte> room(std::size_t bytes) const;

  MPI_Comm comm_ = MPI_COMM_NULL;
  MPI_Comm node_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  int nodes_ = 0;
  int node_rank_ = 0;
  int node_size_ = 1;
  std::vector<int> hosts_of_ranks_;
  std::vector<int> launch_ranks_;
  std::unique_ptr<Pulse> own_pulse_ = std::make_unique<Pulse>();
  Pulse* pulse_ = own_pulse_.get();
  mutable Buffer<std::byte> room_;
};

}  // namespace lockstep
