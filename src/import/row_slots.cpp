#include "import/row_slots.hpp"

#include <algorithm>
#include <cmath>

#include "import/date_text.hpp"

namespace lockstep {
namespace {

std::size_t slot_bytes(ColumnUse use) noexcept {
  switch (use) {
    case ColumnUse::dropped:
      return 0;
    case ColumnUse::date:
    case ColumnUse::value:
      return sizeof(double);
    default:
      return sizeof(float);
  }
}

// A number that is never missing, or told and filled, is copied; a fill has to be looked for.
bool is_copied(const RecipeColumn& column) noexcept {
  return column.use == ColumnUse::number && !is_fill(column.missing);
}

}  // namespace

RowSlots::RowSlots(std::span<const RecipeColumn> columns) {
  for (const RecipeColumn& column : columns) {
    places_.push_back(bytes_);
    bytes_ += slot_bytes(column.use);
  }
}

RowExpander::RowExpander(const Recipe& recipe, const RowSlots& slots) {
  for (std::size_t i = 0; i < recipe.columns.size(); ++i) {
    const RecipeColumn& column = recipe.columns[i];
    const std::size_t slot = slots.of(i);
    if (column.use == ColumnUse::value) values_.push_back(slot);
    if (column.use == ColumnUse::label) label_ = slot;
    if (column.use == ColumnUse::weight) weight_ = slot;
    if (!is_feature(column.use)) continue;
    features_ += width_of(column);
    if (!is_copied(column)) {
      parts_.push_back({.slot = slot, .column = &column});
    } else if (!parts_.empty() && parts_.back().copied != 0 &&
               parts_.back().slot + parts_.back().copied * sizeof(float) == slot) {
      ++parts_.back().copied;
    } else {
      parts_.push_back({.slot = slot, .copied = 1});
    }
  }
}

float* RowExpander::expand(const RecipeColumn& column, const std::byte* slot, float* x) {
  bool missing = false;
  if (column.use == ColumnUse::number) {
    const auto value = take_slot<float>(slot, 0);
    missing = std::isnan(value);
    *x++ = missing ? static_cast<float>(column.fill) : value;
  } else if (column.use == ColumnUse::date) {
    const auto value = take_slot<double>(slot, 0);
    missing = std::isnan(value);
    const std::size_t width = date_features(column.time_of_day).size();
    expand_date(missing ? column.fill : value, column.time_of_day, {x, width});
    x += width;
  } else {
    const auto code = take_slot<std::uint32_t>(slot, 0);
    missing = code == kNoText;
    const std::uint32_t place = missing ? column.fill_category.value_or(kNoText) : code;
    std::fill_n(x, column.texts.size(), 0.0F);
    if (place < column.texts.size()) x[place] = 1;
    x += column.texts.size();
  }
  if (column.indicator) *x++ = missing ? 1 : 0;
  return x;
}

void RowExpander::expand_x(const std::byte* row, float* x) const {
  for (const Part& part : parts_) {
    if (part.copied != 0) {
      std::memcpy(x, row + part.slot, part.copied * sizeof(float));
      x += part.copied;
    } else {
      x = expand(*part.column, row + part.slot, x);
    }
  }
}

void RowExpander::expand_values(const std::byte* row, double* values) const {
  for (const std::size_t slot : values_) *values++ = take_slot<double>(row, slot);
}

}  // namespace lockstep
