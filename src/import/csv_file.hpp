// A CSV file, open to be read from any place.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

class CsvFile {
 public:
  /// Errors: data (no such file; not one to be read twice, as where a line is to be told; empty), io.
  explicit CsvFile(const std::string& path);
  CsvFile(const CsvFile&) = delete;
  CsvFile& operator=(const CsvFile&) = delete;
  ~CsvFile();

  /// What it had when it was opened.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  /// What stands from byte `offset` on, at most `memory`; empty at the end. Errors: io.
  [[nodiscard]] std::string_view read(std::size_t offset, std::span<char> memory) const;
  /// What comes next. Errors: io.
  [[nodiscard]] std::string_view read_next(std::span<char> memory) {
    const std::string_view found = read(next_, memory);
    next_ += found.size();
    return found;
  }

 private:
  std::string path_;
  int fd_ = -1;
  std::size_t bytes_ = 0;
  std::size_t next_ = 0;
};

}  // namespace lockstep
