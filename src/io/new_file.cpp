// POSIX calls: a file is replaced by rename alone, so a reader sees the old or the new one, never a part.
#include "io/new_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>
#include <utility>

#include "io/places.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 26U;  // bytes between two signs of life

/// Returns 0 or errno.
int sync_data(int fd) {
  while (::fdatasync(fd) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

/// Returns 0 or errno.
int sync(int fd) {
  while (::fsync(fd) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

/// Returns 0 or errno.
int write_all(int fd, std::size_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    offset += static_cast<std::size_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

NewFile::NewFile(std::filesystem::path path, std::function<void()> alive)
    : path_(std::move(path)), alive_(std::move(alive)) {
  if (path_.filename().empty()) throw Error(ErrorKind::io, path_.string() + ": expected a file name, found a folder");
  if (const std::string found = other_than_file(path_); !found.empty()) {
    // Its place would be taken: /dev/null would be a file from then on.
    throw Error(ErrorKind::io, path_.string() + ": expected a file, found " + found);
  }
  place_ = follow_links(path_);  // a link stays, and what it points to is new
  const std::filesystem::path folder = place_.has_parent_path() ? place_.parent_path() : ".";
  // Opened first: what can fail should fail before the rename.
  folder_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  check(folder_ < 0 ? errno : 0, "its folder cannot be opened");
  temporary_ = folder / (std::string(".") + place_.filename().string() + ".tmp-" + std::to_string(::getpid()));
  file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file_ >= 0) return;
  const int code = errno;
  ::close(folder_);  // the destructor does not run
  check(code, "a temporary file beside it cannot be made");
}

NewFile::~NewFile() {
  if (file_ >= 0) ::close(file_);
  if (folder_ >= 0) ::close(folder_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void NewFile::check(int code, const char* what) const {
  if (code == 0) return;
  throw Error(ErrorKind::io, path_.string() + ": " + what + ": " + std::generic_category().message(code));
}

void NewFile::write(std::size_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    sync_some();
    const std::span<const std::byte> piece = bytes.first(std::min(bytes.size(), kPiece));
    check(write_all(file_, offset, piece), "cannot be written");
    unsynced_ += piece.size();
    offset += piece.size();
    bytes = bytes.subspan(piece.size());
  }
}

// In pieces that are synced one by one: so it can be seen that a slow disk is not a dead one.
void NewFile::sync_some() {
  if (unsynced_ < kPiece) return;
  check(sync_data(file_), "cannot be synced to disk");
  unsynced_ = 0;
  if (alive_) alive_();
}

void NewFile::append(std::span<const std::byte> bytes) {
  write(end_, bytes);
  end_ += bytes.size();
}

void NewFile::commit() {
  check(sync(file_), "cannot be synced to disk");
  // Network file systems tell of failed writes here.
  check(::close(std::exchange(file_, -1)) == 0 || errno == EINTR ? 0 : errno, "cannot be written");
  check(std::rename(temporary_.c_str(), place_.c_str()) == 0 ? 0 : errno, "cannot be replaced");
  temporary_.clear();
  const int synced = sync(folder_);
  // Some file systems do not sync folders; they keep the rename by other means.
  if (synced != EINVAL && synced != ENOTSUP) check(synced, "its folder cannot be synced to disk");
}

}  // namespace lockstep
