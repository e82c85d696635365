// Samples that are windows of consecutive rows: which rows make which sample, and readers that give them.
//
// Windows overlap. In memory they are views of rows that are held once; what is read piece by piece is laid out window
// by window in the reader's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/range.hpp"
#include "data/open_dataset.hpp"
#include "data/split.hpp"

namespace lockstep {

/// What a window is.
struct WindowShape {
  std::size_t rows = 1;     ///< that make a sample
  std::size_t stride = 1;   ///< rows from the begin of one window to that of the next
  std::size_t horizon = 0;  ///< rows from a window's last one to that of its y
};

class TimeWindows {
 public:
  /// Windows within each of `series`, ranges of rows in order that do not overlap. `with_targets`: y counts, that a
  /// window is to be told; else the last windows end where their series do.
  /// Errors: data (no series is long enough, or more than 2^32 - 1 windows), naming `source`.
  TimeWindows(const WindowShape& shape, std::span<const Range> series, bool with_targets, const std::string& source);

  [[nodiscard]] std::size_t samples() const noexcept { return samples_; }
  /// Rows of a window.
  [[nodiscard]] std::size_t rows() const noexcept { return shape_.rows; }
  /// The first row of a window.
  [[nodiscard]] std::size_t begin(std::size_t sample) const noexcept;
  /// Its last row.
  [[nodiscard]] std::size_t last(std::size_t sample) const noexcept { return begin(sample) + shape_.rows - 1; }
  /// The row of its y.
  [[nodiscard]] std::size_t target(std::size_t sample) const noexcept { return last(sample) + shape_.horizon; }
  /// Series that are too short for a window; and all of them.
  [[nodiscard]] std::size_t short_series() const noexcept { return short_; }
  [[nodiscard]] std::size_t series() const noexcept { return short_ + series_.size(); }

  /// Holds out the last `share` of the windows of each series. Windows before these that have rows with them in common
  /// are in neither part. Errors: config, as split_rows.
  [[nodiscard]] Split split(double share) const;
  /// The rows of these windows, ascending.
  [[nodiscard]] std::vector<std::uint32_t> rows_of(RowList samples) const;

 private:
  struct Series {
    std::size_t first_sample;
    std::size_t samples;
    std::size_t first_row;
  };

  WindowShape shape_;
  bool with_targets_;
  std::vector<Series> series_;  // that have windows
  std::size_t samples_ = 0;
  std::size_t short_ = 0;
};

/// "t2m[-2]", "p[-2]", "t2m[-1]", ..., "p[0]": names of the columns of windows of `rows` rows; and back. Empty stays
/// empty.
[[nodiscard]] std::vector<std::string> window_names(const std::vector<std::string>& names, std::size_t rows);
[[nodiscard]] std::vector<std::string> row_names(const std::vector<std::string>& names, std::size_t rows);

/// The windows of `rows`, one a row, [samples, window rows * columns], the oldest row first.
[[nodiscard]] std::unique_ptr<TableReader> read_windows(std::shared_ptr<TableReader> rows,
                                                        std::shared_ptr<const TimeWindows> windows);
/// Of `rows` that of each window's y.
[[nodiscard]] std::unique_ptr<TableReader> read_targets(std::unique_ptr<TableReader> rows,
                                                        std::shared_ptr<const TimeWindows> windows);

}  // namespace lockstep
