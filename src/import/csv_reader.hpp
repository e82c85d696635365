// Rows and fields of CSV files, by libcsv.
//
// Quoting is that of RFC 4180 and strict: a quote within a field that does not begin with one is refused. Lines end in
// LF, CRLF or CR; blank lines are passed over, also with spaces in them; so is a byte order mark. Spaces around a field
// without quotes are not part of it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// Thrown by a CsvRows about what it was given last; read_csv makes an Error of it that tells the line.
struct BadRow : std::runtime_error {
  using std::runtime_error::runtime_error;
  /// `field`: which field of the row, counted from 0, the line is told of; the first where it is about all of them.
  BadRow(const std::string& what, std::size_t which) : std::runtime_error(what), field(which) {}
  std::size_t field = 0;
};

/// A fault that did not end the reading.
struct RowFault {
  std::size_t row = 0;    ///< of the file, counted from 0, blank lines left out
  std::size_t field = 0;  ///< SIZE_MAX: all of the row
  std::string what = {};
};

/// What receives the rows of a file. A text is there during the call alone.
class CsvRows {
 public:
  virtual ~CsvRows() = default;
  virtual void field(std::string_view text) = 0;
  virtual void end_of_row() = 0;
  /// What was wrong so far; `whole`: all rows have come. A few: the place of each is looked up in the file.
  [[nodiscard]] virtual std::vector<RowFault> faults(bool /*whole*/) { return {}; }
};

/// Takes rows apart that are cut out already.
class CsvRowSplitter {
 public:
  explicit CsvRowSplitter(char delimiter);
  ~CsvRowSplitter();
  CsvRowSplitter(const CsvRowSplitter&) = delete;
  CsvRowSplitter& operator=(const CsvRowSplitter&) = delete;

  /// Hands the fields of `row`, which has no line end, to `rows`, and its end. Returns what is wrong with it; empty:
  /// nothing. Errors: what `rows` throws.
  [[nodiscard]] std::string split(std::string_view row, CsvRows& rows);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The physical line of a field, which counts from 1: row `row`, blank lines left out, and in it field `field`,
/// SIZE_MAX for the row's first line. Reads the file up to there. Errors: data, io.
[[nodiscard]] std::size_t csv_line(const std::string& path, char delimiter, std::size_t row, std::size_t field);

/// Refuses files that are no tables of text by their first bytes. Errors: data, with what to do.
void check_csv_beginning(const std::string& path, std::string_view first);

/// Reads all of `path`, in pieces, and calls `alive` with the bytes done behind each. `delimiter` is one byte.
/// Memory: that of the largest field, at most 1 MiB.
/// Errors: data (missing, quotes that do not fit, a field beyond 1 MiB, a BadRow of `rows`, the faults of `rows`, all
/// of them in one message), with file and line, which counts from 1 as an editor does; io.
void read_csv(const std::string& path, char delimiter, CsvRows& rows, const std::function<void(std::size_t)>& alive);

}  // namespace lockstep
