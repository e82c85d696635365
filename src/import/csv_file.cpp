#include "import/csv_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "lockstep/error.hpp"

namespace lockstep {

CsvFile::CsvFile(const std::string& path) : path_(path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    throw Error(errno == ENOENT ? ErrorKind::data : ErrorKind::io,
                path + ": " + std::generic_category().message(errno));
  }
  // (Looked at before it is opened, which would wait at a pipe.)
  if (!S_ISREG(status.st_mode)) throw Error(ErrorKind::data, path + ": expected a CSV file, found a folder or a pipe");
  if (status.st_size == 0) throw Error(ErrorKind::data, path + ": is empty; expected a CSV table");
  bytes_ = static_cast<std::size_t>(status.st_size);
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) throw Error(ErrorKind::io, path + ": cannot be opened: " + std::generic_category().message(errno));
}

CsvFile::~CsvFile() {
  ::close(fd_);
}

std::string_view CsvFile::read(std::size_t offset, std::span<char> memory) const {
  ssize_t got = -1;
  do {
    got = ::pread(fd_, memory.data(), memory.size(), static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  if (got < 0) throw Error(ErrorKind::io, path_ + ": cannot be read: " + std::generic_category().message(errno));
  return {memory.data(), static_cast<std::size_t>(got)};
}

}  // namespace lockstep
