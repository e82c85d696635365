#include "run/folder_claim.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "checkpoint/retention.hpp"
#include "io/places.hpp"
#include "lockstep/error.hpp"
#include "run/prepare.hpp"

namespace lockstep {

FolderClaim::FolderClaim(const Communicator& comm, const RunFolder& folder, const FitOptions& options)
    : comm_(comm), options_(options), checkpoints_(folder.checkpoints()) {
  comm.at_root([&] {
    folder.check_places();
    std::error_code ignored;
    const bool starts = options.resume || options.overwrite || list_checkpoints(checkpoints_).empty();
    if (options.dry_run || !starts || !std::filesystem::is_directory(options.output, ignored)) return;
    try {
      lock_ = lock();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::io) throw;  // there may be nothing to be written: complete() will tell
    }
  });
}

std::unique_ptr<FolderLock> FolderClaim::lock() const {
  return std::make_unique<FolderLock>(options_.output, [this] { comm_.pulse().beat(); });
}

void FolderClaim::complete(bool resumed) {
  if (lock_) return;
  make_folders(options_.output);
  lock_ = lock();
  // Another run may have come and gone since the folder was looked at.
  if (!resumed && !options_.overwrite && !list_checkpoints(checkpoints_).empty()) {
    throw Error(ErrorKind::config, holds_checkpoints(options_.output));
  }
}

void FolderClaim::check(std::uint64_t step) const {
  comm_.at_root([&] {
    if (!lock_) return;
    lock_->look();
    if (!lock_->is_taken()) return;
    throw Error(
        ErrorKind::io,
        fmt::format("{} has been taken over by another run, {}: this one ends after step {}, for it stood still "
                    "for long or its {} was removed",
                    options_.output, lock_->taken_by(), step, FolderLock::kName));
  });
}

}  // namespace lockstep
