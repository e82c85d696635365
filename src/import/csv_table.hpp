// A CSV table on its way: which column is what, and its rows as slots (import/row_slots.hpp), spilled to disk until all
// categories, what stands for missing fields and the count of the rows are known.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "import/categories.hpp"
#include "import/csv_reader.hpp"
#include "import/recipe.hpp"
#include "import/row_slots.hpp"
#include "import/row_source.hpp"
#include "import/spilled_rows.hpp"

namespace lockstep {

enum class TargetTask { automatic, classes, values };

struct CsvOptions {
  std::vector<std::string> target = {};       ///< column names, each maybe several with commas between; likewise:
  std::vector<std::string> categorical = {};  ///< "auto": every column whose first field is a text, or a date
  std::vector<std::string> date = {};         ///< "NAME", or "NAME=FORMAT", of strptime
  std::vector<std::string> drop = {};         ///< "auto": columns that name or count the rows
  std::vector<std::string> weight = {};       ///< one
  /// "RULE" for all columns, "NAME=RULE" for one; a fill may have "+indicator" behind it.
  std::vector<std::string> missing = {};
  TargetTask task = TargetTask::automatic;
  char delimiter = ',';
  char decimal = '.';  ///< or a comma
  bool header = true;  ///< else the columns are named 1, 2, ...
};

/// What was met in a column, in all rows that were kept.
struct ColumnSeen {
  std::size_t missing = 0;
  std::size_t numbers = 0;  ///< of numbers, values, weights, dates:
  double least = 0;
  double largest = 0;
  double sum = 0;
  std::size_t negative = 0;
  double negative_sum = 0;

  void add(double value) noexcept {
    least = numbers == 0 || value < least ? value : least;
    largest = numbers == 0 || value > largest ? value : largest;
    sum += value;
    ++numbers;
    if (value < 0) {
      ++negative;
      negative_sum += value;
    }
  }
};

/// A column, and what becomes of it.
struct CsvColumn {
  /// What its first field is to decide: of a feature whether it is a number, a text or a date; of a target whether it
  /// is a value or a class.
  enum class Open { no, feature, target };

  RecipeColumn recipe;
  Open open = Open::no;
  bool ruled = false;     ///< --missing names it, or all
  bool may_miss = false;  ///< of several targets: a missing one is kept, as NaN
  std::unique_ptr<Categories> categories = {};
  ColumnSeen seen = {};
  bool faulty = false;  ///< it is not looked at any more
  bool counts = true;   ///< of numbers: each is one more than that of the row before
  float last = 0;
  std::vector<std::size_t> text_counts = {};  ///< of a label: rows with each code
  std::string dropped_for = {};               ///< why --drop auto leaves it out; empty: it does not
  std::optional<RowFault> gap = {};           ///< its first missing text, where it may yet be left out
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
  /// Errors: data (no header; no row; columns of which no field tells what they are).
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
  [[nodiscard]] const std::vector<CsvColumn>& columns() const noexcept { return columns_; }
  /// When all rows are there: whether rows must go for what is missing in a column of which it is known only now that
  /// --drop auto does not leave it out. Then all is to be read once more, without the columns that it does leave out.
  [[nodiscard]] bool wants_second_reading() const;
  /// Names of the columns that are left out, all rows being there.
  [[nodiscard]] std::vector<std::string> left_out();

  /// When all rows are there: what stands for missing fields, by the rows of which `trains` says so, which is asked of
  /// each in order; and with it the recipe. Reads the spilled rows once or twice. Errors: data (a column of which no
  /// row that trains has a field; too many different numbers for the most frequent one; columns that cannot go
  /// together), io.
  void fit(const std::function<std::function<bool()>()>& trains);
  /// From then on.
  [[nodiscard]] const Recipe& recipe() const noexcept { return recipe_; }
  [[nodiscard]] RowFormat format() const;
  /// All rows in the order they came; the table outlives it.
  [[nodiscard]] std::unique_ptr<RowSource> source();

 private:
  void take_header();
  void take_names(std::vector<std::string> names, const std::vector<std::size_t>& unnamed = {});
  void assign_uses();
  void assign_rules();
  void assign_dates();
  void start_rows();
  void keep_early_row();
  void read_early_rows();
  void leave_out_open(const char* why);
  bool settle(CsvColumn& column, std::string_view text);
  [[nodiscard]] std::vector<std::size_t> find_columns(const std::vector<std::string>& words, const char* option,
                                                      bool* automatic = nullptr) const;
  [[nodiscard]] std::optional<std::size_t> find_column(std::string_view name) const;
  void store(CsvColumn& column, std::size_t field, std::string_view text);
  /// Of a text where a number should be.
  [[nodiscard]] std::string advice(const CsvColumn& column, std::string_view text) const;
  void note_missing(CsvColumn& column, std::size_t field);
  /// Of a column in which nothing is to be learned: with --drop auto it is left out, else that is a fault.
  void note_useless(CsvColumn& column, std::size_t field, const char* why, std::string fault);
  void note_fault(std::size_t field, std::string what);
  void note_uneven(std::size_t row, std::size_t fields);
  void keep_faults();
  /// Whether another sign than the delimiter makes more columns of the first row.
  void look_for_delimiter();
  [[nodiscard]] std::string place(std::size_t field) const;
  void make_recipe();
  /// Calls `take` with each spilled row and whether it trains.
  template <class Take>
  void each_spilled(const std::function<bool()>& trains, Take&& take);
  [[nodiscard]] std::string useless(const CsvColumn& column) const;
  void drop_useless();
  void fit_numbers(const std::function<std::function<bool()>()>& trains);

  CsvOptions options_;
  SpilledRows spilled_;
  std::string file_;
  std::vector<CsvColumn> columns_;
  RowSlots slots_;
  Recipe recipe_;
  std::size_t values_ = 0;  ///< targets that are numbers; 0: one label
  bool header_wanted_ = true;
  std::size_t open_ = 0;  ///< columns that do not know yet what they are
  bool started_ = false;  ///< none is left, and there are slots
  std::size_t early_bytes_ = 0;
  std::vector<std::string> early_;                    ///< the fields of a row that is kept as text
  std::vector<std::vector<std::string>> early_rows_;  ///< the rows before all columns knew what they are
  std::vector<std::byte> row_;                        ///< the slots of the row under way
  std::size_t field_ = 0;                             ///< fields of the row under way
  std::vector<RowFault> row_faults_;                  ///< of the row under way
  std::vector<RowFault> faults_;                      ///< of rows before
  bool uneven_ = false;                               ///< a row of another length has been told
  std::string hint_;                                  ///< on the delimiter; empty: it is well chosen
  bool dropping_ = false;                             ///< the row under way has a missing field that drops it
  std::size_t targets_there_ = 0;                     ///< of the row under way
  std::size_t file_rows_ = 0;                         ///< rows of this file that have ended, the header too
  std::size_t seen_ = 0;                              ///< rows of data with all their fields, of all files
  std::size_t rows_ = 0;
  std::size_t rows_before_ = 0;  ///< of earlier files
  std::size_t dropped_ = 0;
  bool looks_like_classes_ = false;
  bool drops_useless_ = false;
};

}  // namespace lockstep
