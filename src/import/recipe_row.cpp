#include "import/recipe_row.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <unordered_map>

#include "import/field_slot.hpp"
#include "import/field_text.hpp"
#include "import/plain_number.hpp"
#include "import/plain_row.hpp"

namespace lockstep {

/// Texts as places in a recipe's list.
class RecipeRow::TextPlaces {
 public:
  explicit TextPlaces(const std::vector<std::string>& texts) {
    for (std::size_t i = 0; i < texts.size(); ++i) places_.emplace(texts[i], static_cast<std::uint32_t>(i));
  }
  [[nodiscard]] std::uint32_t find(std::string_view text) const {
    const auto found = places_.find(text);
    return found == places_.end() ? kUnknownText : found->second;
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> places_;
};

RecipeRow::RecipeRow(const Recipe& recipe)
    : recipe_(recipe),
      several_(recipe.label() == nullptr && recipe.targets().size() > 1),
      slots_(recipe.columns),
      expander_(recipe, slots_),
      splitter_(recipe.delimiter),
      memory_(slots_.bytes()) {
  for (const RecipeColumn& column : recipe.columns) {
    texts_.push_back(column.texts.empty() ? nullptr : std::make_unique<TextPlaces>(column.texts));
  }
}

RecipeRow::~RecipeRow() = default;

void RecipeRow::expect(std::vector<Field> fields, std::size_t texts) {
  expected_ = std::move(fields);
  kept_texts.resize(texts);
  quick_.assign(expected_.size(), {});
  const std::string_view of_numbers = "0123456789-.";
  if (recipe_.decimal != '.' || of_numbers.find(recipe_.delimiter) != std::string_view::npos) return;
  for (std::size_t i = 0; i < expected_.size(); ++i) {
    if (expected_[i].column == kNowhere || expected_[i].kept != kNowhere) continue;
    std::byte* const slot = memory_.data() + slots_.of(expected_[i].column);
    const ColumnUse use = recipe_.columns[expected_[i].column].use;
    if (use == ColumnUse::number || use == ColumnUse::weight) quick_[i].narrow = slot;
    if (use == ColumnUse::value) quick_[i].wide = slot;
  }
}

void RecipeRow::split(std::string_view row) {
  fault.clear();
  unknown.clear();
  fields_ = 0;
  for (std::string& text : kept_texts) text.clear();
  if (row.find('"') == std::string_view::npos && row.find('\r') == std::string_view::npos) {
    split_plain(row);
  } else {
    const std::string what = splitter_.split(row, *this);
    if (!what.empty()) fail(SIZE_MAX, what);
  }
  if (!fault.empty() || fields_ == expected_.size()) return;
  fail(SIZE_MAX, fmt::format("expected {} fields, as in the {}, found {}", expected_.size(),
                             recipe_.header ? "header" : "first row", fields_));
}

void RecipeRow::split_plain(std::string_view row) {
  const char delimiter = recipe_.delimiter;
  const auto take_number = [&](const char* begin, const char* end) -> const char* {
    if (fields_ >= quick_.size()) return nullptr;
    const Quick to = quick_[fields_];
    const auto put = [&](auto value, std::byte* slot) -> const char* {
      const char* const stop = parse_plain_number(begin, end, value);
      if (stop == nullptr || (stop != end && *stop != delimiter)) return nullptr;
      put_slot(slot, 0, value);
      ++fields_;
      return stop;
    };
    if (to.narrow != nullptr) return put(float{}, to.narrow);
    return to.wide != nullptr ? put(double{}, to.wide) : nullptr;
  };
  split_plain_row(row, delimiter, take_number, [&](std::string_view text) { RecipeRow::field(text); });
}

void RecipeRow::field(std::string_view text) {
  const std::size_t field = fields_++;
  if (field >= expected_.size()) return;
  if (expected_[field].kept != kNowhere) kept_texts[expected_[field].kept] = text;
  const std::size_t column = expected_[field].column;
  if (column == kNowhere || !fault.empty()) return;
  const RecipeColumn& recipe = recipe_.columns[column];
  std::byte* const slot = memory_.data() + slots_.of(column);
  if (texts_[column] != nullptr) return put_text(field, column, text, slot);
  const FieldFault found = put_number(recipe, recipe_.decimal, text, slot);
  if (found == FieldFault::none) return;
  const bool may_miss = is_fill(recipe.missing) || (several_ && recipe.use == ColumnUse::value && recipe.keeps_gaps());
  if (found == FieldFault::missing && may_miss) return;
  fail(field, describe(found, recipe, text));
}

void RecipeRow::put_text(std::size_t field, std::size_t column, std::string_view text, std::byte* slot) {
  const RecipeColumn& recipe = recipe_.columns[column];
  if (text.empty()) {
    put_slot(slot, 0, kNoText);
    if (!is_fill(recipe.missing)) fail(field, describe(FieldFault::missing, recipe, text));
    return;
  }
  const std::uint32_t place = texts_[column]->find(text);
  put_slot(slot, 0, place);
  if (place != kUnknownText) return;
  if (recipe.use == ColumnUse::label) return fail(field, fmt::format("the net knows no class {}", shown(text)));
  unknown.emplace_back(column, text);
}

void RecipeRow::fail(std::size_t field, const std::string& what) {
  const std::string column = field == SIZE_MAX ? ""
                             : recipe_.header  ? fmt::format("column {} ({}): ", field + 1,
                                                             shown(recipe_.columns[expected_[field].column].name))
                                               : fmt::format("column {}: ", field + 1);
  fault = column + what;
  fault_field = field;
}

}  // namespace lockstep
