// A row of a table, read by a recipe: its fields put into slots, and what is wrong with it.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "import/csv_reader.hpp"
#include "import/recipe.hpp"
#include "import/row_slots.hpp"

namespace lockstep {

class RecipeRow final : public CsvRows {
 public:
  static constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();

  /// `recipe` must outlive it.
  explicit RecipeRow(const Recipe& recipe);
  ~RecipeRow() override;
  RecipeRow(const RecipeRow&) = delete;
  RecipeRow& operator=(const RecipeRow&) = delete;

  /// What a field of the table is.
  struct Field {
    std::size_t column = kNowhere;  ///< of the recipe
    std::size_t kept = kNowhere;    ///< its place among the texts that are kept
  };
  /// The fields of a row of the table, of which `kept_texts` are kept; before the first row.
  void expect(std::vector<Field> fields, std::size_t kept_texts);

  /// Takes `row` apart. Its texts are there until the next call.
  void split(std::string_view row);
  // What it has met.
  std::string fault;            ///< the first that is wrong, with its column; empty: all is well
  std::size_t fault_field = 0;  ///< SIZE_MAX: of all the row
  std::vector<std::string> kept_texts;
  std::vector<std::pair<std::size_t, std::string>> unknown;  ///< columns of the recipe with texts that it does not have

  [[nodiscard]] const RowExpander& expander() const noexcept { return expander_; }
  [[nodiscard]] const std::byte* slots() const noexcept { return memory_.data(); }

  void field(std::string_view text) override;
  void end_of_row() override {}

 private:
  class TextPlaces;
  void put_text(std::size_t field, std::size_t column, std::string_view text, std::byte* slot);
  void split_plain(std::string_view row);
  void fail(std::size_t field, const std::string& what);

  const Recipe& recipe_;
  bool several_;  // values of which some may be missing
  RowSlots slots_;
  RowExpander expander_;
  CsvRowSplitter splitter_;
  std::vector<std::byte> memory_;
  std::vector<std::unique_ptr<TextPlaces>> texts_;  // [columns of the recipe]
  /// Where a field goes that may be taken for a plain number without looking at it as a text.
  struct Quick {
    std::byte* narrow = nullptr;  ///< slot of a float
    std::byte* wide = nullptr;    ///< slot of a double
  };
  std::vector<Field> expected_;
  std::vector<Quick> quick_;  // [expected_]
  std::size_t fields_ = 0;    // met in this row
};

}  // namespace lockstep
