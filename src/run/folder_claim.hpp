// A run's claim on its folder: from before the first look into it until the end, no other run writes there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "comm/communicator.hpp"
#include "io/folder_lock.hpp"
#include "journal/run_folder.hpp"
#include "run/fit_options.hpp"

namespace lockstep {

/// Every rank has one; that of rank 0 holds the lock.
class FolderClaim {
 public:
  /// Looks whether the folder can be that of a run, and locks it where it is there; a dry run only looks.
  /// Collective. `comm` and `options` must outlive it. Errors, agreed: config (held by another run), data.
  FolderClaim(const Communicator& comm, const RunFolder& folder, const FitOptions& options);

  /// Makes the folder and locks it, unless it is locked. Rank 0. Errors: config (held, or filled meanwhile), io.
  void complete(bool resumed);
  /// Whether another run has the folder by now. Rank 0; costs nothing.
  [[nodiscard]] bool is_lost() const noexcept { return lock_ && lock_->is_taken(); }
  /// Whether the folder may have been deleted since this was asked for the last time. Rank 0; costs nothing.
  [[nodiscard]] bool came_back() const noexcept { return lock_ && lock_->was_missing(); }
  /// Collective. Errors, agreed: io, where another run has the folder; `step` is for the message.
  void check(std::uint64_t step) const;

 private:
  [[nodiscard]] std::unique_ptr<FolderLock> lock() const;

  const Communicator& comm_;
  const FitOptions& options_;
  std::string checkpoints_;
  std::unique_ptr<FolderLock> lock_;
};

}  // namespace lockstep
