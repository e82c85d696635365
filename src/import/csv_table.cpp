// Receiving the rows of a CSV table.
#include "import/csv_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "import/date_text.hpp"
#include "import/field_slot.hpp"
#include "import/field_text.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostEarly = std::size_t{1} << 25U;  // bytes of rows that are kept as text

bool is_text(ColumnUse use) noexcept {
  return use == ColumnUse::category || use == ColumnUse::label;
}

}  // namespace

ImportedTable::ImportedTable(const CsvOptions& options, const std::string& place)
    : options_(options), spilled_(place) {}

void ImportedTable::begin_file(const std::string& file) {
  file_ = file;
  header_wanted_ = options_.header;
  rows_before_ = rows_;
  file_rows_ = 0;
}

void ImportedTable::end_file() {
  if (columns_.empty() || header_wanted_) throw Error(ErrorKind::data, file_ + ": holds no rows, only blank lines");
  if (!started_ && !early_rows_.empty()) {
    std::vector<std::string> empty;
    for (const CsvColumn& column : columns_) {
      if (column.open != CsvColumn::Open::no) empty.push_back(shown(column.recipe.name));
    }
    throw Error(ErrorKind::data,
                fmt::format("{}: no row has anything in column {}; --drop leaves it out", file_, listed(empty)));
  }
  if (rows_ > rows_before_) return;
  throw Error(ErrorKind::data, file_ + ": holds no rows of data" +
                                   (dropped_ == 0 ? " behind its header" : ": each has a missing field"));
}

void ImportedTable::field(std::string_view text) {
  const std::size_t field = field_++;
  if (header_wanted_ || !started_) {
    early_bytes_ += text.size() + sizeof(std::string);
    const bool first = header_wanted_ || early_rows_.empty();
    if (early_bytes_ > (first || !drops_useless_ ? 1 : 2) * kMostEarly) {
      throw BadRow(first
                       ? "this row has more than 32 MiB; expected names or numbers"
                       : "some columns have nothing in the first 32 MiB of the table, so that what they are cannot be "
                         "told; name them with --categorical, or --drop them",
                   0);
    }
    if (field < kMostColumns) early_.emplace_back(text);
    return;
  }
  if (field < columns_.size() && !columns_[field].faulty) store(columns_[field], field, text);
}

void ImportedTable::store(CsvColumn& column, std::size_t field, std::string_view text) {
  const RecipeColumn& recipe = column.recipe;
  if (recipe.use == ColumnUse::dropped) return;
  std::byte* const slot = row_.data() + slots_.of(field);
  if (!is_text(recipe.use)) {
    const FieldFault fault = put_number(recipe, options_.decimal, text, slot);
    if (fault == FieldFault::missing) return note_missing(column, field);
    if (fault != FieldFault::none) {
      return note_fault(field, describe(fault, recipe, text) + (fault == FieldFault::text ? advice(column, text) : ""));
    }
    if (recipe.use == ColumnUse::number) {
      const auto value = take_slot<float>(slot, 0);
      column.counts = column.counts && value == std::floor(value) && (seen_ == 0 || value == column.last + 1);
      column.last = value;
      column.seen.add(value);
    } else if (recipe.use == ColumnUse::weight) {
      column.seen.add(take_slot<float>(slot, 0));
    } else {
      const auto value = take_slot<double>(slot, 0);
      column.seen.add(value);
      if (recipe.use == ColumnUse::date) {
        if (value != std::floor(value)) column.recipe.time_of_day = true;
        return;
      }
      ++targets_there_;
      looks_like_classes_ = looks_like_classes_ && value >= 0 && value < 100 && value == std::floor(value);
    }
    return;
  }
  if (text.empty()) {
    put_slot(slot, 0, kNoText);
    return note_missing(column, field);
  }
  try {
    if (is_uuid(text)) {
      return note_useless(
          column, field, "it holds UUIDs",
          fmt::format("expected a {}, found {}{}", recipe.use == ColumnUse::label ? "class" : "category", shown(text),
                      advice(column, text)));
    }
    if (options_.decimal == '.' && has_commas(text)) {
      return note_fault(field,
                        fmt::format("expected a {}, found {}{}", recipe.use == ColumnUse::label ? "class" : "category",
                                    shown(text), advice(column, text)));
    }
    const std::uint32_t code = column.categories->code(text);
    put_slot(slot, 0, code);
    if (recipe.use != ColumnUse::label) return;
    if (code == column.text_counts.size()) column.text_counts.push_back(0);
    ++column.text_counts[code];
  } catch (const std::length_error& error) {
    note_useless(column, field, "it has more than 1000 different texts",
                 recipe.use == ColumnUse::label
                     ? fmt::format("{}; too many for classes; --task values takes numbers as they are", error.what())
                     : fmt::format("{}; too many for categories; is it a name or a number? --drop {} leaves it out",
                                   error.what(), recipe.name));
  } catch (const std::invalid_argument& error) {
    note_fault(field, error.what());
  }
}

std::string ImportedTable::place(std::size_t field) const {
  const std::string& name = columns_[field].recipe.name;
  return options_.header ? fmt::format("column {} ({}): ", field + 1, shown(name)) : fmt::format("column {}: ", name);
}

void ImportedTable::end_of_row() {
  const std::size_t fields = std::exchange(field_, 0);
  if (header_wanted_) {
    if (fields > kMostColumns) {
      throw BadRow(fmt::format("the header has {} columns; at most {} are taken", fields, kMostColumns), 0);
    }
    early_bytes_ = 0;
    look_for_delimiter();
    take_header();
    ++file_rows_;
    return;
  }
  if (columns_.empty()) {
    if (fields > kMostColumns) {
      throw BadRow(fmt::format("this row has {} fields; at most {} are taken", fields, kMostColumns), 0);
    }
    look_for_delimiter();
    std::vector<std::string> names;
    for (std::size_t i = 1; i <= fields; ++i) names.push_back(std::to_string(i));
    take_names(std::move(names));
  }
  if (!started_) return keep_early_row();
  const bool dropping = std::exchange(dropping_, false);
  const std::size_t targets_there = std::exchange(targets_there_, 0);
  if (fields != columns_.size()) {
    row_faults_.clear();
    note_uneven(file_rows_, fields);
  } else {
    ++seen_;
    const bool no_target = values_ > 1 && targets_there == 0;
    if (!row_faults_.empty() || dropping || no_target) {
      dropped_ += row_faults_.empty() ? 1 : 0;
    } else {
      if (faults_.empty()) spilled_.append(row_);
      ++rows_;
    }
  }
  keep_faults();
  ++file_rows_;
}

// The first field of each open column tells what it is; then all rows come once more.
void ImportedTable::keep_early_row() {
  std::vector<std::string> row = std::exchange(early_, {});
  for (std::size_t i = 0; row.size() == columns_.size() && i < row.size(); ++i) {
    if (columns_[i].open != CsvColumn::Open::no && settle(columns_[i], row[i])) --open_;
  }
  if (row.size() != columns_.size()) note_uneven(file_rows_ + early_rows_.size(), row.size());
  keep_faults();
  early_rows_.push_back(std::move(row));
  if (early_bytes_ > kMostEarly) leave_out_open("it has nothing in the first 32 MiB of the table");
  if (open_ == 0) read_early_rows();
}

// With --drop auto: columns of which nothing has told what they are.
void ImportedTable::leave_out_open(const char* why) {
  if (!drops_useless_) return;
  for (CsvColumn& column : columns_) {
    if (column.open != CsvColumn::Open::feature) continue;
    column.recipe = {.name = column.recipe.name, .use = ColumnUse::dropped};
    column.open = CsvColumn::Open::no;
    column.dropped_for = why;
    --open_;
  }
}

void ImportedTable::read_early_rows() {
  start_rows();
  for (const std::vector<std::string>& early : std::exchange(early_rows_, {})) {
    for (const std::string& text : early) field(text);
    end_of_row();
  }
  early_bytes_ = 0;
}

// False: the field is empty, so the next one tells.
bool ImportedTable::settle(CsvColumn& column, std::string_view text) {
  if (is_missing_number(text)) return false;
  RecipeColumn& recipe = column.recipe;
  double value = 0;
  std::byte slot[sizeof value];
  const RecipeColumn as_value{.name = {}, .use = ColumnUse::value};
  const bool is_words = put_number(as_value, options_.decimal, text, slot) == FieldFault::text && !has_commas(text);
  if (column.open == CsvColumn::Open::target) {
    recipe.use = is_words ? ColumnUse::label : ColumnUse::value;
    looks_like_classes_ = !is_words;
  } else {
    recipe.use = !is_words                          ? ColumnUse::number
                 : parse_date(text, {}).has_value() ? ColumnUse::date
                                                    : ColumnUse::category;
  }
  column.open = CsvColumn::Open::no;
  return true;
}

}  // namespace lockstep
