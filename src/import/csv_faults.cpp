// What is wrong with a CSV table: gathered, so that one try tells all of it, and what to do about it.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "import/csv_table.hpp"
#include "import/date_text.hpp"
#include "import/field_text.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostFaults = 20;  // of a table
constexpr std::size_t kFewRows = 20;     // with fewer, texts or numbers may well all differ

// Whether of `rows` rows each that has something in a column of texts has another text there.
bool names_rows(const CsvColumn& column, std::size_t rows) {
  if (!column.categories || column.categories->size() < kFewRows) return false;
  return column.categories->size() + column.seen.missing == rows;
}

}  // namespace

std::string ImportedTable::advice(const CsvColumn& column, std::string_view text) const {
  if (is_uuid(text))
    return fmt::format(", a UUID: an id, of which nothing is learned; --drop {} leaves it out", column.recipe.name);
  if (has_commas(text) && options_.decimal == '.') {
    return "; numbers with decimal commas are read with --decimal , (commas between thousands must go)";
  }
  if (column.recipe.use == ColumnUse::value) return "; for class names as targets give --task classes";
  if (parse_date(text, {})) return fmt::format("; for a column of dates give --date {}", column.recipe.name);
  if (column.recipe.use == ColumnUse::weight) return "; weights are numbers";
  return fmt::format("; for a column of texts give --categorical {0}, or --drop {0} to leave it out",
                     column.recipe.name);
}

void ImportedTable::note_missing(CsvColumn& column, std::size_t field) {
  ++column.seen.missing;
  if (column.may_miss) return;
  // Whether a column of texts is left out is known at the end: until then its gaps cost no row.
  const bool may_go = drops_useless_ && column.categories && is_feature(column.recipe.use);
  switch (column.recipe.missing) {
    case MissingRule::refuse: {
      const char* const others =
          is_feature(column.recipe.use) ? ", --missing median, mean, most_frequent or zero fills it" : "";
      std::string what = fmt::format("the field is empty or missing; --missing drop leaves such rows out{}", others);
      if (!may_go) return note_fault(field, std::move(what));
      if (!column.gap) column.gap = RowFault{file_rows_, field, place(field) + what};
      return;
    }
    case MissingRule::drop:
      if (may_go) {
        if (!column.gap) column.gap = RowFault{file_rows_, field};
        return;
      }
      dropping_ = true;
      return;
    default:
      return;
  }
}

void ImportedTable::note_useless(CsvColumn& column, std::size_t field, const char* why, std::string fault) {
  if (!drops_useless_ || !is_feature(column.recipe.use)) return note_fault(field, std::move(fault));
  column.faulty = true;
  column.dropped_for = why;
}

void ImportedTable::note_fault(std::size_t field, std::string what) {
  row_faults_.push_back({file_rows_, field, place(field) + what});
}

void ImportedTable::note_uneven(std::size_t row, std::size_t fields) {
  if (std::exchange(uneven_, true)) return;
  row_faults_.push_back({row, SIZE_MAX,
                         fmt::format("expected {} fields, as {}, found {}{}", columns_.size(),
                                     options_.header ? "in the header" : "in the first row", fields, hint_)});
}

void ImportedTable::keep_faults() {
  for (RowFault& fault : std::exchange(row_faults_, {})) {
    if (fault.field < columns_.size() && std::exchange(columns_[fault.field].faulty, true)) continue;
    if (faults_.size() < kMostFaults) faults_.push_back(std::move(fault));
  }
}

std::vector<RowFault> ImportedTable::faults(bool whole) {
  if (whole && !started_ && !early_rows_.empty()) {
    leave_out_open("there is nothing in it");
    if (open_ == 0) read_early_rows();
  }
  std::vector<RowFault> all = faults_;
  for (std::size_t i = 0; whole && i < columns_.size(); ++i) {
    const CsvColumn& column = columns_[i];
    const bool refuses = column.gap && column.recipe.missing == MissingRule::refuse;
    if (refuses && !column.faulty && useless(column).empty() && all.size() < kMostFaults) all.push_back(*column.gap);
  }
  for (std::size_t i = 0; whole && seen_ >= kFewRows && i < columns_.size(); ++i) {
    const CsvColumn& column = columns_[i];
    if (column.faulty || all.size() == kMostFaults) continue;
    const bool names = names_rows(column, seen_);
    const bool counts = column.recipe.use == ColumnUse::number && column.counts && !faults_.empty();
    if ((!names && !counts) || (drops_useless_ && is_feature(column.recipe.use))) continue;
    const char* what = names ? "each row has another text" : "the numbers count the rows";
    all.push_back({0, i,
                   place(i) + fmt::format("{}: an id, of which nothing is learned; {}", what,
                                          column.recipe.use == ColumnUse::label
                                              ? "choose another --target"
                                              : fmt::format("--drop {} leaves it out (--drop auto: all such)",
                                                            column.recipe.name))});
  }
  std::stable_sort(all.begin(), all.end(), [](const RowFault& a, const RowFault& b) { return a.field < b.field; });
  return all;
}

// Why --drop auto leaves a column out, all rows being there; empty: it does not.
std::string ImportedTable::useless(const CsvColumn& column) const {
  if (!drops_useless_ || !is_feature(column.recipe.use) || !column.dropped_for.empty()) return column.dropped_for;
  if (column.categories && column.categories->size() == 0) return "there is nothing in it";
  if (names_rows(column, seen_)) return "each row has another text";
  if (seen_ >= kFewRows && column.recipe.use == ColumnUse::number && column.counts) return "its numbers count the rows";
  return "";
}

bool ImportedTable::wants_second_reading() const {
  return std::ranges::any_of(columns_, [this](const CsvColumn& column) {
    return column.gap && column.recipe.missing == MissingRule::drop && useless(column).empty();
  });
}

std::vector<std::string> ImportedTable::left_out() {
  drop_useless();
  std::vector<std::string> names;
  for (const CsvColumn& column : columns_) {
    if (column.recipe.use == ColumnUse::dropped) names.push_back(column.recipe.name);
  }
  return names;
}

void ImportedTable::drop_useless() {
  for (CsvColumn& column : columns_) {
    RecipeColumn& recipe = column.recipe;
    column.dropped_for = useless(column);
    if (column.dropped_for.empty()) continue;
    recipe = {.name = recipe.name, .use = ColumnUse::dropped};
    column.categories.reset();
  }
}

std::vector<std::string> ImportedTable::counting() const {
  std::vector<std::string> names;
  for (const CsvColumn& column : columns_) {
    if (seen_ >= kFewRows && column.recipe.use == ColumnUse::number && column.counts)
      names.push_back(column.recipe.name);
  }
  return names;
}

void ImportedTable::look_for_delimiter() {
  hint_.clear();
  std::size_t most = early_.size();
  for (const char sign : {',', ';', '\t', '|'}) {
    if (sign == options_.delimiter) continue;
    std::size_t columns = 1;
    for (const std::string& text : early_)
      columns += static_cast<std::size_t>(std::count(text.begin(), text.end(), sign));
    if (columns <= most) continue;
    most = columns;
    hint_ = fmt::format("; at {0} the first row splits into {1} columns: --delimiter {0}",
                        sign == '\t' ? std::string("tab") : fmt::format("'{}'", sign), columns);
  }
}

}  // namespace lockstep
