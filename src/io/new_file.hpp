// A file that is written piece by piece and appears only when it is whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>

namespace lockstep {

/// A file on its way to `path`, or to where the links that stand there point: until commit() it lies beside that, as
/// ".NAME.tmp-PROCESS". Given up before, it is removed and `path` is what it was.
class NewFile {
 public:
  /// `alive` is called whenever some more megabytes are on the disk.
  /// Errors: io (with the system's reason; what stands at `path` is no regular file).
  explicit NewFile(std::filesystem::path path, std::function<void()> alive = {});
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();

  /// Writes `bytes` from byte `offset` on; what is left out in between reads as zeros. Errors: io.
  void write(std::size_t offset, std::span<const std::byte> bytes);
  /// Writes `bytes` behind what append() has written so far. Errors: io.
  void append(std::span<const std::byte> bytes);
  /// Syncs, renames to `path`, syncs the folder. Only when that last sync fails is `path` new and complete, and perhaps
  /// lost by a power cut. Errors: io.
  void commit();

 private:
  void check(int code, const char* what) const;
  void sync_some();

  std::filesystem::path path_;       // for messages: as it was given
  std::filesystem::path place_;      // links followed
  std::filesystem::path temporary_;  // empty: none to be removed
  std::function<void()> alive_;
  int folder_ = -1;
  int file_ = -1;
  std::size_t end_ = 0;       // of what was appended
  std::size_t unsynced_ = 0;  // bytes
};

}  // namespace lockstep
