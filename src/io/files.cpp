// Whole files by POSIX calls. A file is replaced by rename alone, so a reader sees the old or the new one, never a
// part.
#include "io/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 26U;  // bytes between two signs of life

std::string reason(int code) {
  return std::generic_category().message(code);
}

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

/// Drops what is written from `bytes`. Returns 0 or errno.
int write_all(int fd, std::span<const std::byte>& bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}

/// Returns 0 or errno.
int write_all_at(int fd, std::span<const std::byte> bytes, std::size_t offset) {
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

}  // namespace

// Not by the device: containers on one host number their devices each on their own.
std::string file_identity(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw Error(ErrorKind::io, path.string() + ": " + reason(errno));
  return std::to_string(status.st_ino) + " " + std::to_string(status.st_size) + " " +
         std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec);
}

namespace {

/// Bytes of a regular file from `begin(size)` to its end.
template <class Begin>
std::vector<std::byte> read_from(const std::filesystem::path& path, Begin&& begin, const std::function<void()>& alive) {
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    const bool missing = errno == ENOENT || errno == ENOTDIR;
    throw Error(missing ? ErrorKind::data : ErrorKind::io, path.string() + ": cannot be opened: " + reason(errno));
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw Error(ErrorKind::io, path.string() + ": " + reason(errno));
  if (!S_ISREG(status.st_mode)) throw Error(ErrorKind::data, path.string() + ": expected a regular file");

  const auto size = static_cast<std::size_t>(status.st_size);
  const std::size_t first = begin(size);
  std::vector<std::byte> bytes(size - first);
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::pread(file.get(), bytes.data() + have, std::min(bytes.size() - have, kPiece),
                                static_cast<off_t>(first + have));
    if (got < 0) {
      if (errno == EINTR) continue;
      throw Error(ErrorKind::io, path.string() + ": cannot be read: " + reason(errno));
    }
    if (got == 0) throw Error(ErrorKind::io, path.string() + ": became shorter while it was read");
    have += static_cast<std::size_t>(got);
    if (alive) alive();
  }
  return bytes;
}

}  // namespace

std::vector<std::byte> read_file(const std::filesystem::path& path, const std::function<void()>& alive) {
  return read_from(
      path, [](std::size_t /*size*/) { return std::size_t{0}; }, alive);
}

std::vector<std::byte> read_end(const std::filesystem::path& path, std::size_t count) {
  return read_from(path, [count](std::size_t size) { return size - std::min(size, count); }, {});
}

NewFile::NewFile(const std::filesystem::path& path) : path_(path) {
  if (path.filename().empty()) throw Error(ErrorKind::io, path.string() + ": expected a file name, found a folder");
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  // Opened first: what can fail should fail before the rename.
  folder_fd_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  check(folder_fd_ < 0 ? errno : 0, "its folder cannot be opened");
  temporary_ = folder / (std::string(".") + path.filename().string() + ".tmp-" + std::to_string(::getpid()));
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd_ < 0) {
    const int code = errno;
    ::close(folder_fd_);
    check(code, "a temporary file beside it cannot be made");
  }
}

NewFile::~NewFile() {
  if (fd_ >= 0) ::close(fd_);
  ::close(folder_fd_);
  if (!renamed_) ::unlink(temporary_.c_str());
}

void NewFile::check(int code, const char* what) const {
  if (code != 0) throw Error(ErrorKind::io, path_.string() + ": " + what + ": " + reason(code));
}

void NewFile::write(std::size_t offset, std::span<const std::byte> bytes) {
  check(write_all_at(fd_, bytes, offset), "cannot be written");
}

void NewFile::sync_data() {
  check(lockstep::sync_data(fd_), "cannot be synced to disk");
}

void NewFile::commit() {
  check(sync(fd_), "cannot be synced to disk");
  // Network file systems tell of failed writes here.
  check(::close(std::exchange(fd_, -1)) == 0 || errno == EINTR ? 0 : errno, "cannot be written");
  check(std::rename(temporary_.c_str(), path_.c_str()) == 0 ? 0 : errno, "cannot be replaced");
  renamed_ = true;
  const int synced = sync(folder_fd_);
  // Some file systems do not sync folders; they keep the rename by other means.
  if (synced != EINVAL && synced != ENOTSUP) check(synced, "its folder cannot be synced to disk");
}

void write_file_atomically(const std::filesystem::path& path, std::span<const std::span<const std::byte>> parts,
                           const std::function<void()>& alive) {
  NewFile file(path);
  std::size_t offset = 0;
  for (std::span<const std::byte> part : parts) {
    // In pieces that are synced one by one: so it can be seen that a slow disk is not a dead one.
    while (!part.empty()) {
      const std::span<const std::byte> piece = part.first(std::min(part.size(), kPiece));
      part = part.subspan(piece.size());
      file.write(offset, piece);
      offset += piece.size();
      if (part.empty()) break;
      file.sync_data();
      if (alive) alive();
    }
  }
  file.commit();
}

RowFile::RowFile(const std::filesystem::path& path)
    : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)), path_(path.string()) {
  if (fd_ < 0) throw Error(ErrorKind::io, path_ + ": cannot be written: " + reason(errno));
}

RowFile::RowFile(RowFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      pending_(std::move(other.pending_)),
      failed_(other.failed_) {}

RowFile& RowFile::operator=(RowFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(pending_, other.pending_);
  std::swap(failed_, other.failed_);
  return *this;
}

RowFile::~RowFile() {
  if (fd_ >= 0) ::close(fd_);
}

std::string RowFile::finish() {
  failed_ = false;
  return add("");
}

std::string RowFile::add(std::string_view row) {
  pending_ += row;
  std::span<const std::byte> bytes = std::as_bytes(std::span(pending_));
  const int code = write_all(fd_, bytes);
  pending_.erase(0, pending_.size() - bytes.size());
  const bool failed_before = std::exchange(failed_, code != 0);
  return code == 0 || failed_before ? "" : path_ + ": cannot be written: " + reason(code);
}

}  // namespace lockstep
