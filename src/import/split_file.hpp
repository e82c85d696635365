// The HDF5 file that an import makes: groups train and test, each with x, y and maybe w; see data/README.md.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "import/row_source.hpp"
#include "io/hdf5_layout.hpp"
#include "io/new_file.hpp"

namespace lockstep {

/// Takes rows in any mixture of train and test and writes them a MiB at a time, contiguous in the file: any rows of it
/// are then read without touching others. Errors of all: io; nothing is left of the file unless it is committed.
class SplitFile {
 public:
  /// `train` and `test`: how many rows will come; `test` may be 0, then there is no such group.
  SplitFile(const std::string& path, const RowFormat& format, std::size_t train, std::size_t test);

  /// Row `row` of a block, in the format's types.
  void add(bool train, const RowBlock& block, std::size_t row) {
    Stream* const streams = train ? streams_.data() : streams_.data() + kTables;
    add(streams[0], std::span(block.x).subspan(row * row_bytes_[0], row_bytes_[0]));
    add(streams[1], std::span(block.y).subspan(row * row_bytes_[1], row_bytes_[1]));
    if (row_bytes_[2] != 0) add(streams[2], std::span(block.w).subspan(row * row_bytes_[2], row_bytes_[2]));
  }
  /// All rows are there: the file takes its place. Errors: internal (more or fewer rows than were said).
  void commit();

 private:
  /// Numbers of one data set that wait to be written.
  struct Stream {
    std::size_t offset = 0;  ///< in the file, of what comes next
    std::size_t end = 0;
    std::vector<std::byte> waiting = {};
  };
  static constexpr std::size_t kTables = 3;                       // x, y, w
  static constexpr std::size_t kWaiting = std::size_t{1} << 20U;  // bytes

  void add(Stream& stream, std::span<const std::byte> bytes) {
    stream.waiting.insert(stream.waiting.end(), bytes.begin(), bytes.end());
    if (stream.waiting.size() >= kWaiting) flush(stream);
  }
  void flush(Stream& stream);

  std::string path_;
  h5::Layout layout_;
  NewFile file_;
  std::array<std::size_t, kTables> row_bytes_;  // of w 0 without weights
  std::array<Stream, 2 * kTables> streams_;     // those of train, those of test
};

}  // namespace lockstep
