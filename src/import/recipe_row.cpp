#include "import/recipe_row.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <unordered_map>

#include "import/field_slot.hpp"
#include "import/field_text.hpp"

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

void RecipeRow::split(std::string_view row) {
  fault.clear();
  unknown.clear();
  fields_ = 0;
  for (std::string& text : kept_texts) text.clear();
  const std::string what = splitter_.split(row, *this);
  if (!what.empty()) fail(SIZE_MAX, what);
  if (!fault.empty() || fields_ == columns.size()) return;
  fail(SIZE_MAX, fmt::format("expected {} fields, as in the {}, found {}", columns.size(),
                             recipe_.header ? "header" : "first row", fields_));
}

void RecipeRow::field(std::string_view text) {
  const std::size_t field = fields_++;
  if (field >= columns.size()) return;
  if (kept[field] != kNowhere) kept_texts[kept[field]] = text;
  const std::size_t column = columns[field];
  if (column == kNowhere || !fault.empty()) return;
  const RecipeColumn& recipe = recipe_.columns[column];
  std::byte* const slot = memory_.data() + slots_.of(column);
  if (texts_[column] != nullptr) return put_text(field, column, text, slot);
  const FieldFault found = put_number(recipe, recipe_.decimal, text, slot);
  if (found == FieldFault::none) return;
  const bool may_miss = is_fill(recipe.missing) || (several_ && recipe.use == ColumnUse::value);
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
  const std::string column =
      field == SIZE_MAX ? ""
      : recipe_.header  ? fmt::format("column {} ({}): ", field + 1, shown(recipe_.columns[columns[field]].name))
                        : fmt::format("column {}: ", field + 1);
  fault = column + what;
  fault_field = field;
}

}  // namespace lockstep
