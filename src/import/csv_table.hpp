// A CSV table on its way: which column is what, and its rows as numbers and category codes, spilled to disk until all
// categories and the count of the rows are known.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "import/categories.hpp"
#include "import/csv_reader.hpp"
#include "import/field_text.hpp"
#include "import/row_source.hpp"
#include "import/spilled_rows.hpp"

namespace lockstep {

enum class TargetTask { automatic, classes, values };

struct CsvOptions {
  std::vector<std::string> target = {};       ///< column names, each maybe several with commas between; likewise:
  std::vector<std::string> categorical = {};  ///< "auto": every column whose first row is text
  std::vector<std::string> drop = {};
  TargetTask task = TargetTask::automatic;
  bool drop_missing = false;  ///< rows with missing fields; else they are refused
  char delimiter = ',';
  char decimal = '.';  ///< or a comma
  bool header = true;  ///< else the columns are named 1, 2, ...
};

/// What a column is.
enum class ColumnRole { dropped, number, category, value, label, open_feature, open_target };

struct CsvColumn {
  std::string name;
  ColumnRole role = ColumnRole::number;
  std::size_t slot = 0;  ///< byte of a spilled row
  std::unique_ptr<Categories> categories = {};
  bool faulty = false;  ///< it is not looked at any more
  bool counts = true;   ///< of numbers: each is one more than that of the row before
  float last = 0;
};

/// Receives the rows of one file after the other. Errors of field and end_of_row: BadRow; config (options that name
/// columns that are not there).
class ImportedTable final : public CsvRows {
 public:
  /// Spills beside `place`.
  ImportedTable(const CsvOptions& options, const std::string& place);

  /// From now on rows of `file` come, with a header of their own where there are headers: the same columns.
  void begin_file(const std::string& file);
  void field(std::string_view text) override;
  void end_of_row() override;
  /// Errors: data (no header; no row).
  void end_file();
  /// The first fault of each column, and of rows of another length; at most 20. Of all rows also columns that name the
  /// rows, in which nothing is to be learned.
  [[nodiscard]] std::vector<RowFault> faults(bool whole) override;
  /// Columns of numbers that count the rows: row numbers, perhaps.
  [[nodiscard]] std::vector<std::string> counting() const;

  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t dropped() const noexcept { return dropped_; }
  /// True when the targets are values, and all are whole numbers from 0 to 99: classes, perhaps.
  [[nodiscard]] bool looks_like_classes() const noexcept { return looks_like_classes_; }

  /// When all rows are there. Errors: data (too many columns in all).
  [[nodiscard]] RowFormat format() const;
  /// All rows in the order they came, categories as 0 and 1; the table outlives it.
  [[nodiscard]] std::unique_ptr<RowSource> source();

 private:
  void take_header();
  void take_names(std::vector<std::string> names);
  void assign_roles();
  void assign_slots();
  bool settle(const std::vector<std::string>& row);
  [[nodiscard]] std::vector<std::size_t> find_columns(const std::vector<std::string>& words, const char* option,
                                                      bool* automatic = nullptr) const;
  void store(CsvColumn& column, std::string_view text);
  template <class T>
  [[nodiscard]] NumberFault parse(std::string_view text, T& out) const noexcept {
    return options_.decimal == ',' ? parse_comma_number(text, out) : parse_number(text, out);
  }
  /// Of a text where a number should be.
  [[nodiscard]] std::string advice(const CsvColumn& column, std::string_view text) const;
  void note_missing(std::size_t field);
  void note_fault(std::size_t field, std::string what);
  void keep_faults();
  /// Whether another sign than the delimiter makes more columns of the first row.
  void look_for_delimiter();
  [[nodiscard]] std::string place(std::size_t field) const;

  CsvOptions options_;
  SpilledRows spilled_;
  std::string file_;
  std::vector<CsvColumn> columns_;
  std::size_t values_ = 0;  ///< targets that are numbers; 0: one label
  bool header_wanted_ = true;
  bool settled_ = false;  ///< every column knows what it is
  std::size_t early_bytes_ = 0;
  std::vector<std::string> early_;    ///< the fields of a row before that
  std::vector<std::byte> row_;        ///< the row under way: 4 bytes a feature (a float, or the code of a category),
                                      ///< then a double each target, or the 4 bytes of a label
  std::size_t field_ = 0;             ///< fields of the row under way
  std::vector<RowFault> row_faults_;  ///< of the row under way
  std::vector<RowFault> faults_;      ///< of rows before
  bool uneven_ = false;               ///< a row of another length has been told
  std::string hint_;                  ///< on the delimiter; empty: it is well chosen
  bool missing_ = false;
  std::size_t file_rows_ = 0;  ///< rows of this file that have ended, the header too
  std::size_t seen_ = 0;       ///< rows of data with all their fields, of all files
  std::size_t rows_ = 0;
  std::size_t rows_before_ = 0;  ///< of earlier files
  std::size_t dropped_ = 0;
  bool looks_like_classes_ = false;
};

}  // namespace lockstep
