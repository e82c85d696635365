// Rows of a CSV file from any place in it: where rows begin, found by several processes together, and rows cut out.
//
// A line ends in LF, CRLF or CR, and a line end between quotes is part of a field. Where quotes stand at the ends of
// fields or are doubled, the number of quotes before a byte tells whether it lies between quotes. A quote that stands
// elsewhere is a stray one: it opens nothing, so that the fault stays in its row. Blank lines are no rows. So a good
// file is cut as read_csv reads it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/range.hpp"
#include "import/csv_file.hpp"

namespace lockstep {

/// The most bytes of a row; a quote that is not closed would make one of the rest of the file.
inline constexpr std::size_t kMostRow = std::size_t{1} << 25U;

/// Cuts rows out of a file, one after the other. Memory: some MiB, or that of the largest row.
class RowCutter {
 public:
  /// Begins at the first row. Errors: those of CsvFile.
  RowCutter(const std::string& path, char delimiter);
  RowCutter(const RowCutter&) = delete;
  RowCutter& operator=(const RowCutter&) = delete;

  /// Goes to another place where a row begins.
  void seek(std::size_t offset);
  /// Goes behind the row that byte `offset` is in, or stays where one begins there. `in_quotes`: whether that byte is
  /// between quotes.
  void seek_into(std::size_t offset, bool in_quotes);
  /// The next row that is not blank; false at the end of the file. Errors: data (more than kMostRow), io.
  [[nodiscard]] bool next();
  /// It, without its line end, until the next call.
  [[nodiscard]] std::string_view row() const noexcept { return row_; }
  /// Where it begins [bytes].
  [[nodiscard]] std::size_t offset() const noexcept { return row_offset_; }
  /// Whether it is the first of the file, behind a byte order mark.
  [[nodiscard]] bool behind_mark() const noexcept { return has_mark_ && row_offset_ == kMark.size(); }
  /// Whether a stray quote has been met, or what may be due to one.
  [[nodiscard]] bool stray() const noexcept { return stray_; }

 private:
  [[nodiscard]] bool fill();
  static constexpr std::string_view kMark = "\xEF\xBB\xBF";
  enum class State { start, plain, quoted, closing, closed };  // of a field, as far as the row has been looked through

  static constexpr std::size_t kTooLong = SIZE_MAX;
  template <class Look>
  [[nodiscard]] std::size_t find_end(Look&& look);
  [[nodiscard]] std::size_t find_row_end();
  [[nodiscard]] std::size_t find_rest_end(bool in_quotes);
  [[nodiscard]] State look(State state, std::string_view bytes) noexcept;
  [[nodiscard]] bool is_blank(std::string_view line) const noexcept;

  std::string path_;
  char delimiter_;
  CsvFile file_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // of what is not cut yet, in the buffer
  std::size_t end_ = 0;    // of what is read
  std::size_t base_ = 0;   // where in the file the buffer begins
  bool has_mark_ = false;  // the file begins with a byte order mark
  bool stray_ = false;
  bool ended_ = false;  // nothing is left to be read
  bool has_quotes_ = false;
  bool has_returns_ = false;
  std::string_view row_;
  std::size_t row_offset_ = 0;
};

/// Where a row begins.
struct RowMark {
  std::uint64_t row = 0;
  std::uint64_t offset = 0;
};

/// The rows that begin in a part of a file's bytes.
struct RowPart {
  bool stray = false;  ///< a stray quote was met: what lies behind must be looked at from the file's beginning
  std::uint64_t rows = 0;
  std::vector<RowMark> marks = {};  ///< the first row, and some more; rows count from the part's first
};

/// How many quotes there are among bytes `bytes` of a file. `alive` is called from time to time. Errors: those of
/// CsvFile.
[[nodiscard]] std::uint64_t count_quotes(const std::string& path, Range bytes, const std::function<void()>& alive = {});
/// Looks for the rows that begin among `bytes`. `in_quotes`: whether the first of them is between quotes, which the
/// number of quotes before it tells. Errors: those of RowCutter.
[[nodiscard]] RowPart scan_rows(const std::string& path, char delimiter, Range bytes, bool in_quotes,
                                const std::function<void()>& alive = {});

/// Where the rows of a file are.
class RowIndex {
 public:
  RowIndex() = default;
  /// Of all parts of a file, in order.
  explicit RowIndex(const std::vector<RowPart>& parts);
  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  /// The last mark at or before `row`.
  [[nodiscard]] RowMark before(std::size_t row) const;

 private:
  std::size_t rows_ = 0;
  std::vector<RowMark> marks_;
};

/// As bytes, to be sent to others.
[[nodiscard]] std::string encode(const RowPart& part);
[[nodiscard]] RowPart decode_part(std::string_view bytes);

}  // namespace lockstep
