// Memory that all ranks of a host see: an MPI-3 shared-memory window. A rank that is alone on its host has plain
// memory, for which no shared memory is needed.
//
// Leaving is the delicate part: freeing a window is collective, so a rank that unwinds with an error of its own must
// not wait for ranks that know nothing of it. It leaves the mapping to the end of the process instead; Open MPI has
// unlinked the file behind it by then, so nothing stays.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "comm/communicator.hpp"
#include "core/buffer.hpp"
#include "core/range.hpp"

namespace lockstep {

/// What a window is for, told when it does not fit.
struct WindowUse {
  std::string what;     ///< what needs the memory
  std::string way_out;  ///< besides more shared memory, or shared memory elsewhere
};

class NodeWindow {
 public:
  /// `bytes` of zeroed memory for the host, on a cache-line border. Of them, this rank touches `mine` first, so that
  /// these pages lie in its memory; the ranges of a host's ranks together cover everything.
  /// Collective over the communicator. Errors: config, agreed (a host's memory, or its shared memory, is too small,
  /// with the ways out); io, agreed (out of memory all the same).
  NodeWindow(const Communicator& comm, std::size_t bytes, Range mine, const WindowUse& use);
  /// Whether there is so much shared memory, which a rank that is alone on its host does not need; takes none.
  /// Collective. Errors: config, agreed.
  static void require_space(const Communicator& comm, std::size_t bytes, const WindowUse& use);
  NodeWindow(const NodeWindow&) = delete;
  NodeWindow& operator=(const NodeWindow&) = delete;
  /// Collective, except while an exception is on its way, after MPI_Finalize or where this rank has given up waiting:
  /// then it does nothing.
  ~NodeWindow();

  [[nodiscard]] std::span<std::byte> memory() const noexcept { return memory_; }

 private:
  void allocate(const Communicator& comm, std::size_t bytes);

  Pulse& pulse_;
  MPI_Win window_ = MPI_WIN_NULL;
  Buffer<std::byte> own_;  // in the place of a window, where the rank is alone
  std::span<std::byte> memory_;
  int exceptions_at_start_ = 0;
};

}  // namespace lockstep
