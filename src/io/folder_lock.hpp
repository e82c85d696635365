// One process at a time writes to a folder. The lock is a file in it that names host, process and time.
//
// It is taken by a hard link, which is all or nothing on network file systems too, and its time is set anew every few
// seconds. A lock that its process has left behind, killed say, is taken over: where the process can be looked for, as
// soon as it is gone; else when the time has stood still for a minute. Times are those of the file system alone.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace lockstep {

class FolderLock {
 public:
  /// The name of the file.
  static constexpr const char* kName = "run.lock";

  /// Locks `folder`, which is there. Waits for a holder that may be about to end: seconds for one on this host, up to a
  /// minute for one elsewhere that gives no signs of life; `alive` is called meanwhile.
  /// Errors: config (held, and by whom), io.
  explicit FolderLock(std::string folder, const std::function<void()>& alive = {});
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  /// Lets go of it.
  ~FolderLock();

  /// Who has the lock in this one's place: a text, empty while nobody has. It was lost by standing still for long, or
  /// because its file was removed.
  [[nodiscard]] std::string taken_by() const;
  /// Looks now, and not within some seconds, whether the lock is still there; makes a missing one anew.
  void look();
  /// Whether the file was missing since this was asked for the last time, and had to be made anew: then the folder may
  /// have been deleted.
  [[nodiscard]] bool was_missing() noexcept { return missing_.exchange(false, std::memory_order_relaxed); }
  [[nodiscard]] bool is_taken() const noexcept { return taken_.load(std::memory_order_relaxed); }

 private:
  void take(const std::function<void()>& alive);
  void refresh();

  std::string folder_;
  std::string path_;
  std::string text_;  // of the file
  std::atomic<bool> taken_{false};
  std::atomic<bool> missing_{false};
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  std::string holder_;
  std::thread thread_;
};

/// Who holds the lock of `folder`, as the message of a refusal; nothing where nobody does. Changes and awaits nothing.
[[nodiscard]] std::optional<std::string> find_holder(const std::string& folder);

}  // namespace lockstep
