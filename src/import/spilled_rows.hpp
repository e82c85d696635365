// Rows of bytes on disk, written once and then read once, in the order they came: what does not fit in memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

/// A file without a name beside `place`, whose folder it shares: gone with the process, however that ends.
class SpilledRows {
 public:
  /// Errors: io.
  explicit SpilledRows(const std::filesystem::path& place);
  SpilledRows(const SpilledRows&) = delete;
  SpilledRows& operator=(const SpilledRows&) = delete;
  ~SpilledRows();

  /// Errors of all: io, with the system's reason.
  void append(std::span<const std::byte> row) {
    if (buffer_.size() + row.size() > buffer_.capacity()) flush();
    buffer_.insert(buffer_.end(), row.begin(), row.end());
  }
  /// Ends writing; reading starts at the first row.
  void rewind();
  /// Fills `out` with what comes next. All of it has been appended.
  void read(std::span<std::byte> out);

 private:
  void flush();
  [[noreturn]] void fail(const char* what) const;

  std::string name_;
  int fd_ = -1;
  std::vector<std::byte> buffer_;
};

}  // namespace lockstep
