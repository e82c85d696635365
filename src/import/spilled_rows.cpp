#include "import/spilled_rows.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 20U;  // bytes

}  // namespace

SpilledRows::SpilledRows(const std::filesystem::path& place)
    : name_((place.has_parent_path() ? place.parent_path() : std::filesystem::path(".")) /
            ("." + place.filename().string() + ".rows-" + std::to_string(::getpid()))) {
  fd_ = ::open(name_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd_ < 0) fail("a temporary file cannot be made");
  ::unlink(name_.c_str());
  buffer_.reserve(kBuffer);
}

SpilledRows::~SpilledRows() {
  ::close(fd_);
}

void SpilledRows::fail(const char* what) const {
  throw Error(ErrorKind::io, name_ + ": " + what + ": " + std::generic_category().message(errno));
}

void SpilledRows::flush() {
  std::span<const std::byte> left(buffer_);
  while (!left.empty()) {
    const ssize_t written = ::write(fd_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("the rows read so far cannot be written");
    left = left.subspan(static_cast<std::size_t>(written));
  }
  buffer_.clear();
}

void SpilledRows::rewind() {
  flush();
  if (::lseek(fd_, 0, SEEK_SET) != 0) fail("cannot be read again");
}

void SpilledRows::read(std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t got = ::read(fd_, out.data(), out.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail("cannot be read again");
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace lockstep
