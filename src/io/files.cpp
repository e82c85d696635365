// Whole files by POSIX calls.
#include "io/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "io/new_file.hpp"
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
