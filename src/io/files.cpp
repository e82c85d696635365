// Whole files by POSIX calls.
#include "io/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <system_error>
#include <utility>

#include "core/memory_room.hpp"
#include "io/new_file.hpp"
#include "io/places.hpp"
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

}  // namespace

namespace {

// Not by the device: containers on one host number their devices each on their own.
std::string identity_of(const struct stat& status) {
  return std::to_string(status.st_ino) + " " + std::to_string(status.st_size) + " " +
         std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec);
}

/// Bytes of an open file into `out`. Returns false where it ends before. Errors: io.
bool read_all(int fd, std::size_t at, std::span<std::byte> out, const std::string& path) {
  while (!out.empty()) {
    const ssize_t got = ::pread(fd, out.data(), out.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error(ErrorKind::io, path + ": cannot be read: " + reason(errno));
    if (got == 0) return false;
    at += static_cast<std::size_t>(got);
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

}  // namespace

std::string file_identity(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw Error(ErrorKind::io, path.string() + ": " + reason(errno));
  return identity_of(status);
}

void read_unchanged(const std::filesystem::path& path, const std::string& identity, std::size_t at,
                    std::span<std::byte> out) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) throw Error(ErrorKind::io, path.string() + ": cannot be opened: " + reason(errno));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw Error(ErrorKind::io, path.string() + ": " + reason(errno));
  if (identity_of(status) != identity || !read_all(file.get(), at, out, path.string())) {
    throw Error(ErrorKind::data, path.string() +
                                     ": has changed while it was in use (it is another file, or has another "
                                     "size or time of change); the files of a data set must stay as they "
                                     "are");
  }
}

namespace {

/// Bytes of a regular file from `begin(size)` to its end, at most so many.
template <class Begin>
std::vector<std::byte> read_from(const std::filesystem::path& path, Begin&& begin, const std::function<void()>& alive,
                                 std::size_t most = SIZE_MAX) {
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
  require_room(std::min(size - first, most), path.string());
  std::vector<std::byte> bytes(std::min(size - first, most));
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

std::vector<std::byte> read_begin(const std::filesystem::path& path, std::size_t count) {
  return read_from(
      path, [](std::size_t /*size*/) { return std::size_t{0}; }, {}, count);
}

void write_file_atomically(const std::filesystem::path& path, std::span<const std::span<const std::byte>> parts,
                           const std::function<void()>& alive) {
  NewFile file(path, alive);
  for (const std::span<const std::byte> part : parts) file.append(part);
  file.commit();
}

void write_text_atomically(const std::filesystem::path& path, std::string_view text) {
  const std::array<std::span<const std::byte>, 1> parts{std::as_bytes(std::span(text))};
  write_file_atomically(path, parts);
}

namespace {

/// Opens `path` to read and append. Returns what is wrong, or an empty text and sets `fd`.
std::string open_rows(const std::string& path, int& fd) {
  // O_NONBLOCK: opening a pipe must not wait for a reader.
  const int opened = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0666);
  if (opened < 0) return path + ": cannot be written: " + reason(errno);
  struct stat status {};
  if (::fstat(opened, &status) == 0 && S_ISREG(status.st_mode)) {
    fd = opened;
    return "";
  }
  ::close(opened);
  return path + ": expected a file, found " + other_than_file(path);
}

/// All bytes of `from` behind those of `to`. Returns 0 or errno; `unread`: it was `from` that failed.
int copy_all(int from, int to, bool& unread) {
  std::vector<std::byte> piece(std::size_t{1} << 20U);
  for (off_t offset = 0;;) {
    const ssize_t got = ::pread(from, piece.data(), piece.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    unread = got < 0;
    if (got <= 0) return got < 0 ? errno : 0;
    std::span<const std::byte> bytes = std::span(piece).first(static_cast<std::size_t>(got));
    if (const int code = write_all(to, bytes); code != 0) return code;
    offset += got;
  }
}

}  // namespace

RowFile::RowFile(const std::filesystem::path& path) : path_(path.string()) {
  if (const std::string problem = open_rows(path_, fd_); !problem.empty()) throw Error(ErrorKind::io, problem);
  std::string begin(4096, '\0');
  const ssize_t got = ::pread(fd_, begin.data(), begin.size(), 0);
  begin.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  head_ = begin.substr(0, begin.find('\n') + 1);
}

RowFile::RowFile(RowFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      head_(std::move(other.head_)),
      pending_(std::move(other.pending_)),
      failed_(other.failed_) {}

RowFile& RowFile::operator=(RowFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(head_, other.head_);
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
  std::string problem = make_anew();
  if (problem.empty()) problem = write_pending();
  const bool failed_before = std::exchange(failed_, !problem.empty());
  return failed_before ? "" : problem;
}

std::string RowFile::write_pending() {
  std::span<const std::byte> bytes = std::as_bytes(std::span(pending_));
  const int code = write_all(fd_, bytes);
  pending_.erase(0, pending_.size() - bytes.size());
  return code == 0 ? "" : path_ + ": cannot be written: " + reason(code);
}

// Where the file at its path is not the open one any more. A file that is deleted can still be read by those who have
// it open; where it cannot, on some network file systems, its first row is known.
std::string RowFile::make_anew() {
  struct stat here {};
  struct stat there {};
  if (::stat(path_.c_str(), &there) == 0) {
    const bool same = ::fstat(fd_, &here) == 0 && here.st_ino == there.st_ino && here.st_dev == there.st_dev;
    if (same) return "";
    int fd = -1;  // another file in its place: somebody has edited it
    std::string problem = open_rows(path_, fd);
    if (problem.empty()) ::close(std::exchange(fd_, fd));
    return problem;
  }
  if (errno != ENOENT && errno != ENOTDIR && errno != ESTALE) return "";
  int fd = -1;
  std::string problem;
  try {
    const std::filesystem::path place = follow_links(path_);
    if (place.has_parent_path()) make_folders(place.parent_path());
    problem = open_rows(path_, fd);
  } catch (const Error& error) {
    problem = error.what();
  }
  if (!problem.empty()) return problem;
  bool unread = false;
  int code = copy_all(fd_, fd, unread);
  if (unread) {
    std::span<const std::byte> head = std::as_bytes(std::span(head_));
    code = write_all(fd, head);
  }
  if (code != 0) {
    ::close(fd);
    ::unlink(path_.c_str());
    return path_ + ": cannot be written: " + reason(code);
  }
  ::close(std::exchange(fd_, fd));
  return "";
}

}  // namespace lockstep
