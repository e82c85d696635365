// Every MPI call of the plain collectives.
#include "comm/communicator.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <new>
#include <numeric>
#include <optional>
#include <utility>

#include "comm/patience.hpp"
#include "core/convert.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 28U;  // elements of one MPI call, well below INT_MAX

void require_mpi() {
  int initialized = 0;
  int thread_level = MPI_THREAD_SINGLE;
  check_mpi(MPI_Initialized(&initialized), "MPI_Initialized");
  if (initialized == 0)
    throw Error(ErrorKind::usage, "MPI is not initialised: call MPI_Init_thread before making a Trainer");
  check_mpi(MPI_Query_thread(&thread_level), "MPI_Query_thread");
  if (thread_level < MPI_THREAD_FUNNELED) {
    throw Error(ErrorKind::usage,
                "MPI was initialised without thread support: pass MPI_THREAD_FUNNELED to MPI_Init_thread");
  }
}

// The ranks of this one's host, in the order of `comm`.
MPI_Comm split_by_host(MPI_Comm comm, int rank, std::optional<int> host) {
  MPI_Comm part = MPI_COMM_NULL;
  if (host) {
    check_mpi(MPI_Comm_split(comm, *host, rank, &part), "MPI_Comm_split");
  } else {
    check_mpi(MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &part), "MPI_Comm_split_type");
  }
  return part;
}

int first_of(MPI_Comm host, int rank) {
  check_mpi(MPI_Bcast(&rank, 1, MPI_INT, 0, host), "MPI_Bcast");
  return rank;
}

// Calls `move(first, count)` for pieces of [0, total).
template <class Move>
void in_pieces(std::size_t total, Move move) {
  for (std::size_t first = 0; first < total; first += kPiece) {
    move(first, static_cast<int>(std::min(kPiece, total - first)));
  }
}

template <class T>
std::span<std::byte> bytes_of(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

}  // namespace

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw Error(ErrorKind::comm,
              fmt::format("{} failed: {}", call, std::string_view(text.data(), static_cast<std::size_t>(length))));
}

void finish(MPI_Request& request, const Pulse& pulse, const char* call) {
  if (pulse.patience == nullptr) {
    check_mpi(MPI_Wait(&request, MPI_STATUS_IGNORE), call);
    return;
  }
  constexpr int kTests = 1000;  // before others are let run
  for (int tests = 0;; ++tests) {
    int done = 0;
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), call);
    if (done != 0) return;
    pulse.patience->look();
    if (tests >= kTests) sched_yield();
  }
}

// Of two barriers the second tells that nobody has given up in the first: a rank that comes late finds that one open.
void assemble(MPI_Comm comm, const Pulse& pulse) {
  if (pulse.patience == nullptr) return;
  for (int i = 0; i < 2; ++i) {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Ibarrier(comm, &request), "MPI_Ibarrier");
    finish(request, pulse, "MPI_Ibarrier");
  }
}

std::string mpi_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  check_mpi(MPI_Get_library_version(text.data(), &length), "MPI_Get_library_version");
  const std::string version(text.data(), static_cast<std::size_t>(length));
  return version.substr(0, version.find_first_of(",\n"));
}

Communicator::Communicator(MPI_Comm parent, Order order, std::optional<int> host, Patience* patience) {
  require_mpi();
  own_pulse_->patience = patience;
  lockstep::assemble(parent, *own_pulse_);
  int launch_rank = 0;
  check_mpi(MPI_Comm_rank(parent, &launch_rank), "MPI_Comm_rank");
  if (order == Order::by_host) {
    MPI_Comm part = split_by_host(parent, launch_rank, host);
    const int first = first_of(part, launch_rank);
    check_mpi(MPI_Comm_free(&part), "MPI_Comm_free");
    // Of equal keys, MPI keeps the order of the parent.
    check_mpi(MPI_Comm_split(parent, 0, first, &comm_), "MPI_Comm_split");
  } else {
    check_mpi(MPI_Comm_dup(parent, &comm_), "MPI_Comm_dup");
  }
  check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(comm_, &size_), "MPI_Comm_size");
  node_ = split_by_host(comm_, rank_, host);
  check_mpi(MPI_Comm_set_errhandler(node_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Comm_rank(node_, &node_rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(node_, &node_size_), "MPI_Comm_size");
  const int first = first_of(node_, rank_);
  hosts_of_ranks_.resize(static_cast<std::size_t>(size_));
  launch_ranks_.resize(static_cast<std::size_t>(size_));
  check_mpi(MPI_Allgather(&launch_rank, 1, MPI_INT, launch_ranks_.data(), 1, MPI_INT, comm_), "MPI_Allgather");
  check_mpi(MPI_Allgather(&first, 1, MPI_INT, hosts_of_ranks_.data(), 1, MPI_INT, comm_), "MPI_Allgather");
  for (int rank = 0; rank < size_; ++rank) nodes_ += hosts_of_ranks_[static_cast<std::size_t>(rank)] == rank ? 1 : 0;
}

Communicator::Communicator(Communicator&& other) noexcept
    : comm_(std::exchange(other.comm_, MPI_COMM_NULL)),
      node_(std::exchange(other.node_, MPI_COMM_NULL)),
      rank_(other.rank_),
      size_(other.size_),
      nodes_(other.nodes_),
      node_rank_(other.node_rank_),
      node_size_(other.node_size_),
      hosts_of_ranks_(std::move(other.hosts_of_ranks_)),
      launch_ranks_(std::move(other.launch_ranks_)),
      own_pulse_(std::move(other.own_pulse_)),
      pulse_(other.pulse_),
      room_(std::move(other.room_)) {}

Communicator::~Communicator() {
  int finalized = 0;
  if (comm_ == MPI_COMM_NULL || MPI_Finalized(&finalized) != MPI_SUCCESS || finalized != 0) return;
  if (gave_up(*own_pulse_)) {
    static_cast<void>(new Buffer<std::byte>(std::move(room_)));  // MPI may still write to it
    return;
  }
  MPI_Comm_free(&node_);
  MPI_Comm_free(&comm_);
}

void Communicator::together(FunctionRef<void()> local, Blame blame) const {
  std::optional<Error> error;
  try {
    local();
  } catch (const Error& thrown) {
    error = thrown;
  } catch (const std::bad_alloc&) {
    error.emplace(ErrorKind::io, "out of memory");
  } catch (const std::exception& thrown) {
    error.emplace(ErrorKind::internal, thrown.what());
  } catch (...) {
    error.emplace(ErrorKind::internal, "something was thrown that is no std::exception");
  }
  const Waiting waiting(*pulse_);
  // Shared memory is written by plain stores. The compiler and the CPU may delay or reorder them; the fences end that
  // on both sides of the allreduce, which returns on no rank before all have entered it. MPI_Win_sync does no more.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  int failed = error ? 1 : 0;
  if (blame == Blame::host) reduce(bytes_of(failed), MPI_INT, sizeof failed, MPI_MAX, node_);
  // The lowest failing rank, and whether all failed: MIN over (rank or size, failed).
  std::array<int, 2> state{error ? rank_ : size_, failed};
  reduce(bytes_of(state), MPI_INT, sizeof(int), MPI_MIN, comm_);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const int first = state[0];
  if (first == size_) return;
  std::array<std::int64_t, 2> head{};
  std::string text;
  if (rank_ == first) {
    text = error->what();
    if (state[1] == 0) text = fmt::format("rank {}: {}", launch_rank(), text);
    head = {static_cast<std::int64_t>(error->kind()), static_cast<std::int64_t>(text.size())};
  }
  broadcast_from(first, bytes_of(head));
  text.resize(static_cast<std::size_t>(head[1]));
  broadcast_from(first, std::as_writable_bytes(std::span(text)));
  throw Error(static_cast<ErrorKind>(head[0]), text).as_agreed();
}

std::span<std::byte> Communicator::room(std::size_t bytes) const {
  if (room_.size() < bytes) room_ = Buffer<std::byte>(bytes);
  return room_.view().first(bytes);
}

void Communicator::reduce(std::span<std::byte> values, MPI_Datatype type, std::size_t width, MPI_Op op,
                          MPI_Comm comm) const {
  const bool blocks = pulse_->patience == nullptr;
  const std::span<std::byte> all = blocks ? values : room(values.size());
  if (!blocks) std::ranges::copy(values, all.begin());
  in_pieces(values.size() / width, [&](std::size_t first, int count) {
    std::byte* const piece = all.data() + first * width;
    if (blocks) {
      check_mpi(MPI_Allreduce(MPI_IN_PLACE, piece, count, type, op, comm), "MPI_Allreduce");
      return;
    }
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Iallreduce(MPI_IN_PLACE, piece, count, type, op, comm, &request), "MPI_Iallreduce");
    finish(request, *pulse_, "MPI_Iallreduce");
  });
  if (!blocks) std::ranges::copy(all, values.begin());
}

void Communicator::broadcast_from(int root, std::span<std::byte> data) const {
  if (pulse_->patience == nullptr) {
    in_pieces(data.size(), [&](std::size_t first, int count) {
      check_mpi(MPI_Bcast(data.data() + first, count, MPI_BYTE, root, comm_), "MPI_Bcast");
    });
    return;
  }
  constexpr std::size_t kRoom = std::size_t{1} << 22U;  // bytes
  for (std::size_t first = 0; first < data.size(); first += kRoom) {
    const std::span<std::byte> piece = data.subspan(first, std::min(kRoom, data.size() - first));
    const std::span<std::byte> copy = room(piece.size());
    if (rank_ == root) std::ranges::copy(piece, copy.begin());
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Ibcast(copy.data(), static_cast<int>(copy.size()), MPI_BYTE, root, comm_, &request), "MPI_Ibcast");
    finish(request, *pulse_, "MPI_Ibcast");
    std::ranges::copy(copy, piece.begin());
  }
}

void Communicator::broadcast(std::span<std::byte> data) const {
  const Waiting waiting(*pulse_);
  broadcast_from(0, data);
}

std::string Communicator::broadcast_text(const std::string& text) const {
  const Waiting waiting(*pulse_);
  std::int64_t size = static_cast<std::int64_t>(text.size());
  broadcast_from(0, bytes_of(size));
  std::string copy = is_root() ? text : std::string(static_cast<std::size_t>(size), '\0');
  broadcast(std::as_writable_bytes(std::span(copy)));
  return copy;
}

void Communicator::gather_parts(std::span<double> values, std::span<const std::size_t> starts) const {
  if (starts.size() != static_cast<std::size_t>(size_) + 1 || starts.back() != values.size()) {
    throw Error(ErrorKind::usage, "gather_parts: the parts do not add up to the values");
  }
  // The counts are few and the same on every call; a broadcast a rank needs no arrays of them.
  if (size_ == 1) return;
  const Waiting waiting(*pulse_);
  for (int root = 0; root < size_; ++root) {
    const std::size_t begin = starts[static_cast<std::size_t>(root)];
    const std::size_t count = starts[static_cast<std::size_t>(root) + 1] - begin;
    broadcast_from(root, std::as_writable_bytes(values.subspan(begin, count)));
  }
}

void Communicator::gather_at_root(std::span<const float> part, std::span<float> all,
                                  std::span<const std::size_t> starts) const {
  const auto size_of = [&](int rank) {
    return starts[static_cast<std::size_t>(rank) + 1] - starts[static_cast<std::size_t>(rank)];
  };
  if (starts.size() != static_cast<std::size_t>(size_) + 1 || part.size() != size_of(rank_) ||
      (rank_ == 0 && all.size() != starts.back())) {
    throw Error(ErrorKind::usage, "gather_at_root: the parts do not add up to the whole");
  }
  constexpr std::size_t kRoom = std::size_t{1} << 20U;  // floats
  constexpr int kTag = 2;
  if (rank_ == 0) std::ranges::copy(part, all.begin() + static_cast<std::ptrdiff_t>(starts[0]));
  const Waiting waiting(*pulse_);
  for (int from = 1; from < size_; ++from) {
    if (rank_ != 0 && rank_ != from) continue;
    for (std::size_t first = 0; first < size_of(from); first += kRoom) {
      const std::size_t count = std::min(kRoom, size_of(from) - first);
      const std::span<std::byte> copy = room(count * sizeof(float));
      const auto bytes = static_cast<int>(copy.size());
      MPI_Request request = MPI_REQUEST_NULL;
      if (rank_ == 0) {
        check_mpi(MPI_Irecv(copy.data(), bytes, MPI_BYTE, from, kTag, comm_, &request), "MPI_Irecv");
        finish(request, *pulse_, "MPI_Irecv");
        std::memcpy(all.data() + starts[static_cast<std::size_t>(from)] + first, copy.data(), copy.size());
      } else {
        std::memcpy(copy.data(), part.data() + first, copy.size());
        check_mpi(MPI_Isend(copy.data(), bytes, MPI_BYTE, 0, kTag, comm_, &request), "MPI_Isend");
        finish(request, *pulse_, "MPI_Isend");
      }
    }
  }
}

void Communicator::sum(std::span<std::int64_t> values) const {
  const Waiting waiting(*pulse_);
  reduce(std::as_writable_bytes(values), MPI_INT64_T, sizeof(std::int64_t), MPI_SUM, comm_);
}

// Blocks in any case: what MPI does otherwise adds in another order.
void Communicator::sum(std::span<float> values) const {
  assemble();
  const Waiting waiting(*pulse_);
  in_pieces(values.size(), [&](std::size_t first, int count) {
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, values.data() + first, count, MPI_FLOAT, MPI_SUM, comm_), "MPI_Allreduce");
  });
}

double Communicator::max(double value) const {
  const Waiting waiting(*pulse_);
  reduce(bytes_of(value), MPI_DOUBLE, sizeof value, MPI_MAX, comm_);
  return value;
}

std::int64_t Communicator::sum(std::int64_t value) const {
  sum(std::span(&value, 1));
  return value;
}

std::vector<std::string> Communicator::gather_texts(const std::string& text) const {
  assemble();
  const Waiting waiting(*pulse_);
  const auto ranks = static_cast<std::size_t>(size_);
  const int length = narrow<int>(text.size(), "a text");
  std::vector<int> lengths(ranks);
  check_mpi(MPI_Allgather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, comm_), "MPI_Allgather");
  std::vector<int> starts(ranks, 0);
  std::partial_sum(lengths.begin(), lengths.end() - 1, starts.begin() + 1);
  std::string all(static_cast<std::size_t>(starts.back() + lengths.back()), '\0');
  check_mpi(MPI_Allgatherv(text.data(), length, MPI_CHAR, all.data(), lengths.data(), starts.data(), MPI_CHAR, comm_),
            "MPI_Allgatherv");
  std::vector<std::string> texts;
  for (std::size_t r = 0; r < ranks; ++r) {
    texts.push_back(all.substr(static_cast<std::size_t>(starts[r]), static_cast<std::size_t>(lengths[r])));
  }
  return texts;
}

std::uint32_t Communicator::combine(std::uint32_t bits) const {
  const Waiting waiting(*pulse_);
  reduce(bytes_of(bits), MPI_UINT32_T, sizeof bits, MPI_BOR, comm_);
  return bits;
}

void Communicator::assemble() const {
  if (pulse_->patience == nullptr) return;
  const Waiting waiting(*pulse_);
  lockstep::assemble(comm_, *pulse_);
}

void Communicator::barrier() const {
  const Waiting waiting(*pulse_);
  if (pulse_->patience == nullptr) {
    check_mpi(MPI_Barrier(comm_), "MPI_Barrier");
    return;
  }
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(comm_, &request), "MPI_Ibarrier");
  finish(request, *pulse_, "MPI_Ibarrier");
}

}  // namespace lockstep
