// A CSV table read by a recipe, row by row: samples for a net, and their answers where it has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/row_texts.hpp"
#include "data/open_dataset.hpp"
#include "data/row_notes.hpp"
#include "import/csv_met.hpp"
#include "import/csv_rows.hpp"
#include "import/recipe.hpp"
#include "import/recipe_row.hpp"

namespace lockstep {

struct CsvReading {
  bool answers = false;   ///< targets are read too, and weights; then they must be there
  bool mark_bad = false;  ///< rows that cannot be read are noted and given as zeros; else they are an error
  bool notes = false;     ///< bad() and kept() are wanted
  std::vector<std::string> keep = {};  ///< columns whose texts kept() gives
};

/// One thread.
class CsvSamples final : public RowNotes {
 public:
  /// Reads the header of `path` and matches its columns to the recipe's by name, in whatever order they are; others are
  /// passed over. Without headers columns are matched by place: all of them, or all but the targets and weights.
  /// Errors: data (no such file; columns that are missing or there twice, by name; columns to be kept that are not
  /// there), io.
  CsvSamples(const std::string& path, Recipe recipe, CsvReading reading);
  ~CsvSamples() override;
  CsvSamples(const CsvSamples&) = delete;
  CsvSamples& operator=(const CsvSamples&) = delete;

  /// What people should know of its columns, in sentences.
  [[nodiscard]] const std::vector<std::string>& notices() const noexcept { return notices_; }
  [[nodiscard]] char delimiter() const noexcept { return recipe_.delimiter; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// Where the rows of the file are, header and all. Errors: data (no rows).
  void take(RowIndex index);
  /// From then on: readers of x, and of y and w where there are answers, with the names that the recipe gives. They
  /// share what this reads and must not outlive it.
  [[nodiscard]] OpenDataset open();

  /// Of the rows that were read last: which are bad, [rows], 0 or 1, and the texts of the columns to be kept, as the
  /// beginning of a line of CSV; without any, the row's number, which counts from 1.
  [[nodiscard]] std::span<const std::uint8_t> bad() const noexcept override { return bad_; }
  [[nodiscard]] const RowTexts& kept() const noexcept override { return kept_; }
  /// The names that stand above those texts.
  [[nodiscard]] std::vector<std::string> kept_names() const;
  /// Of all rows whose samples were read up to now; rows that were read twice count twice.
  [[nodiscard]] const CsvMet& met() const noexcept { return met_; }
  /// Counts unknown texts anew: those of `rows` alone. Reads them. Errors: as of the readers.
  void count_unknown(Range rows);

 private:
  class Reader;
  enum class Part { x, y, w };

  [[nodiscard]] std::vector<RecipeRow::Field> match_header(const std::vector<std::string>& names);
  [[nodiscard]] std::vector<RecipeRow::Field> match_places(std::size_t count);
  void read(Part part, Range rows, std::span<std::byte> out);
  void place_cutter(std::size_t row);
  void read_row(std::size_t row, float* x, bool counts);
  void note_bad(std::size_t row, std::size_t field, const std::string& what);

  std::string path_;
  Recipe recipe_;
  CsvReading reading_;
  std::vector<std::string> notices_;
  RowIndex index_;
  std::size_t rows_ = 0;
  std::unique_ptr<RecipeRow> row_;
  RowCutter cutter_;
  std::size_t next_row_ = 0;  // that the cutter gives next, of the file
  bool placed_ = false;
  Range held_ = {};  // rows whose answers are held
  std::vector<double> values_;
  std::vector<std::int32_t> labels_;
  std::vector<float> weights_;
  std::vector<std::uint8_t> bad_;
  RowTexts kept_;
  CsvMet met_;
};

}  // namespace lockstep
