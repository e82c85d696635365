// Receiving the rows of a CSV table.
#include "import/csv_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "import/field_text.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostColumns = 65536;
constexpr std::size_t kMostEarly = std::size_t{1} << 25U;     // bytes of a row that is kept as text
constexpr std::size_t kMostFeatures = std::size_t{1} << 20U;  // with categories as columns of 0 and 1

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
  if (rows_ > rows_before_) return;
  throw Error(ErrorKind::data, file_ + ": holds no rows of data" +
                                   (dropped_ == 0 ? " behind its header" : ": each has a missing field"));
}

void ImportedTable::field(std::string_view text) {
  const std::size_t field = field_++;
  if (header_wanted_ || !settled_) {
    early_bytes_ += text.size();
    if (early_bytes_ > kMostEarly) throw BadRow("this row has more than 32 MiB; expected names or numbers", 0);
    if (field < kMostColumns) early_.emplace_back(text);
    return;
  }
  if (field < columns_.size() && !columns_[field].faulty) store(columns_[field], text);
}

void ImportedTable::store(CsvColumn& column, std::string_view text) {
  std::byte* const slot = row_.data() + column.slot;
  const std::size_t field = field_ - 1;
  try {
    switch (column.role) {
      case ColumnRole::number: {
        float value = 0;
        const NumberFault fault = parse(text, value);
        if (fault != NumberFault::none) {
          if (is_missing_number(text)) return note_missing(field);
          return note_fault(field, describe(fault, text) + (fault == NumberFault::text ? advice(column, text) : ""));
        }
        column.counts = column.counts && value == std::floor(value) && (seen_ == 0 || value == column.last + 1);
        column.last = value;
        std::memcpy(slot, &value, sizeof value);
        return;
      }
      case ColumnRole::value: {
        double value = 0;
        NumberFault fault = parse(text, value);
        if (fault == NumberFault::none && !(std::abs(value) <= std::numeric_limits<float>::max())) {
          fault = NumberFault::too_large;
        }
        if (fault != NumberFault::none) {
          if (is_missing_number(text)) return note_missing(field);
          return note_fault(field, describe(fault, text) + (fault == NumberFault::text ? advice(column, text) : ""));
        }
        looks_like_classes_ = looks_like_classes_ && value >= 0 && value < 100 && value == std::floor(value);
        std::memcpy(slot, &value, sizeof value);
        return;
      }
      case ColumnRole::category:
      case ColumnRole::label: {
        if (text.empty()) return note_missing(field);
        if (is_uuid(text) || (options_.decimal == '.' && has_commas(text))) {
          return note_fault(
              field, fmt::format("expected a {}, found {}{}", column.role == ColumnRole::label ? "class" : "category",
                                 shown(text), advice(column, text)));
        }
        const std::uint32_t code = column.categories->code(text);
        std::memcpy(slot, &code, sizeof code);
        return;
      }
      default:
        return;
    }
  } catch (const std::length_error& error) {
    note_fault(field,
               column.role == ColumnRole::label
                   ? fmt::format("{}; too many for classes; --task values takes numbers as they are", error.what())
                   : fmt::format("{}; too many for categories; is it a name or a number? --drop {} leaves it out",
                                 error.what(), column.name));
  } catch (const std::invalid_argument& error) {
    note_fault(field, error.what());
  }
}

std::string ImportedTable::place(std::size_t field) const {
  const std::string& name = columns_[field].name;
  return options_.header ? fmt::format("column {} ({}): ", field + 1, shown(name)) : fmt::format("column {}: ", name);
}

void ImportedTable::end_of_row() {
  const std::size_t fields = std::exchange(field_, 0);
  early_bytes_ = 0;
  const bool missing = std::exchange(missing_, false);
  if (header_wanted_) {
    if (fields > kMostColumns) {
      throw BadRow(fmt::format("the header has {} columns; at most {} are taken", fields, kMostColumns), 0);
    }
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
  if (fields != columns_.size()) {
    row_faults_.clear();
    early_.clear();
    if (!std::exchange(uneven_, true)) {
      row_faults_.push_back({file_rows_, SIZE_MAX,
                             fmt::format("expected {} fields, as {}, found {}{}", columns_.size(),
                                         options_.header ? "in the header" : "in the first row", fields, hint_)});
    }
  } else if (!settled_) {
    if (settle(std::exchange(early_, {}))) return;  // the row has come once more
  } else if (row_faults_.empty() && !missing) {
    if (faults_.empty()) spilled_.append(row_);
    ++rows_;
    ++seen_;
  } else {
    dropped_ += row_faults_.empty() ? 1 : 0;
    ++seen_;
  }
  keep_faults();
  ++file_rows_;
}

// The first row that has all its fields tells which open columns hold text. False: this one has not.
bool ImportedTable::settle(const std::vector<std::string>& row) {
  bool whole = true;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const ColumnRole role = columns_[i].role;
    const bool text = role == ColumnRole::category || role == ColumnRole::label;
    if (role == ColumnRole::dropped || !(text ? row[i].empty() : is_missing_number(row[i]))) continue;
    note_missing(i);
    whole = false;
  }
  missing_ = false;
  if (!whole) {
    dropped_ += row_faults_.empty() ? 1 : 0;
    return false;
  }
  for (std::size_t i = 0; i < row.size(); ++i) {
    CsvColumn& column = columns_[i];
    double value = 0;
    const bool text = parse(row[i], value) == NumberFault::text && !has_commas(row[i]);
    if (column.role == ColumnRole::open_feature) column.role = text ? ColumnRole::category : ColumnRole::number;
    if (column.role == ColumnRole::open_target) {
      column.role = text ? ColumnRole::label : ColumnRole::value;
      looks_like_classes_ = !text;
    }
  }
  assign_slots();
  settled_ = true;
  for (const std::string& text : row) field(text);
  end_of_row();
  return true;
}

RowFormat ImportedTable::format() const {
  RowFormat format;
  for (const CsvColumn& column : columns_) {
    switch (column.role) {
      case ColumnRole::number:
        format.features.push_back(column.name);
        break;
      case ColumnRole::category:
        format.categorical.push_back(column.name);
        for (const std::string& text : column.categories->sorted()) format.features.push_back(column.name + "=" + text);
        break;
      case ColumnRole::value:
        format.targets.push_back(column.name);
        break;
      case ColumnRole::label:
        format.targets.push_back(column.name);
        format.classes = column.categories->sorted();
        format.y_type = ElementType::i32;
        break;
      default:
        break;
    }
  }
  if (format.features.size() > kMostFeatures) {
    throw Error(ErrorKind::data, fmt::format("{}: its categories make {} columns; at most {} are taken", file_,
                                             format.features.size(), kMostFeatures));
  }
  std::unordered_set<std::string_view> names;
  for (const std::string& name : format.features) {
    if (names.insert(name).second) continue;
    throw Error(
        ErrorKind::data,
        fmt::format("{}: two features would be named '{}': one of a column of categories, one of the first line; "
                    "drop or rename one of these columns",
                    file_, name));
  }
  format.x_shape = {format.features.size()};
  if (values_ != 0) format.y_shape = {values_};
  return format;
}

namespace {

/// The spilled rows again, with categories as columns of 0 and 1.
class ExpandedRows final : public RowSource {
 public:
  ExpandedRows(SpilledRows& spilled, std::size_t rows, const std::vector<CsvColumn>& columns, const RowFormat& format)
      : spilled_(spilled), left_(rows), x_bytes_(format.x_bytes()), y_bytes_(format.y_bytes()) {
    constexpr std::size_t block = std::size_t{1} << 20U;
    std::size_t slots = 0;
    for (const CsvColumn& column : columns) {
      if (column.role == ColumnRole::number) {
        if (parts_.empty() || !parts_.back().places.empty()) parts_.push_back({});
        ++parts_.back().width;
        ++slots;
      } else if (column.role == ColumnRole::category) {
        parts_.push_back({column.categories->size(), column.categories->places()});
        ++slots;
      } else if (column.role == ColumnRole::label) {
        labels_ = column.categories->places();
      }
    }
    slot_bytes_ = slots * sizeof(float);
    block_rows_ = std::max<std::size_t>(1, block / std::max(x_bytes_, slot_bytes_ + y_bytes_));
  }

  std::size_t next(std::vector<std::byte>& x, std::vector<std::byte>& y) override {
    const std::size_t rows = std::min(left_, block_rows_);
    left_ -= rows;
    x.resize(rows * x_bytes_);
    y.resize(rows * y_bytes_);
    packed_.resize(rows * (slot_bytes_ + y_bytes_));
    spilled_.read(packed_);
    const std::byte* from = packed_.data();
    for (std::size_t row = 0; row < rows; ++row) {
      expand(from, x.data() + row * x_bytes_);
      std::memcpy(y.data() + row * y_bytes_, from + slot_bytes_, y_bytes_);
      from += slot_bytes_ + y_bytes_;
    }
    if (!labels_.empty()) {
      for (std::size_t row = 0; row < rows; ++row) {
        std::uint32_t code = 0;
        std::memcpy(&code, y.data() + row * y_bytes_, sizeof code);
        std::memcpy(y.data() + row * y_bytes_, &labels_[code], sizeof code);
      }
    }
    return rows;
  }

 private:
  /// Numbers side by side, or a column of categories.
  struct Part {
    std::size_t width = 0;                   ///< in x
    std::vector<std::uint32_t> places = {};  ///< of each code; empty: numbers
  };

  void expand(const std::byte* slot, std::byte* out) const {
    for (const Part& part : parts_) {
      const std::size_t bytes = part.width * sizeof(float);
      if (part.places.empty()) {
        std::memcpy(out, slot, bytes);
        slot += bytes;
      } else {
        constexpr float one = 1;
        std::uint32_t code = 0;
        std::memcpy(&code, slot, sizeof code);
        std::memset(out, 0, bytes);
        std::memcpy(out + part.places[code] * sizeof one, &one, sizeof one);
        slot += sizeof code;
      }
      out += bytes;
    }
  }

  SpilledRows& spilled_;
  std::size_t left_;
  std::size_t x_bytes_, y_bytes_;
  std::size_t slot_bytes_ = 0;
  std::size_t block_rows_ = 1;
  std::vector<Part> parts_;
  std::vector<std::uint32_t> labels_;
  std::vector<std::byte> packed_;
};

}  // namespace

std::unique_ptr<RowSource> ImportedTable::source() {
  spilled_.rewind();
  return std::make_unique<ExpandedRows>(spilled_, rows_, columns_, format());
}

}  // namespace lockstep
