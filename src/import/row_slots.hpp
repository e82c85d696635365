// A row of a table on its way from text to numbers: a slot a column, which says also that a field was missing, and what
// a recipe makes of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "import/recipe.hpp"

namespace lockstep {

/// The code of a missing text; of one that the recipe does not have, of which no feature tells.
inline constexpr std::uint32_t kNoText = std::numeric_limits<std::uint32_t>::max();
inline constexpr std::uint32_t kUnknownText = kNoText - 1;

/// Where the slots of a row's columns are [bytes], by what they are used for: a number and the weight are a float, a
/// text is its code (uint32), a date and a value are a double. Missing is NaN or kNoText.
class RowSlots {
 public:
  RowSlots() = default;
  explicit RowSlots(std::span<const RecipeColumn> columns);

  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }  ///< of a row
  [[nodiscard]] std::size_t of(std::size_t column) const noexcept { return places_[column]; }

 private:
  std::vector<std::size_t> places_;
  std::size_t bytes_ = 0;
};

template <class T>
[[nodiscard]] T take_slot(const std::byte* row, std::size_t place) noexcept {
  T value;
  std::memcpy(&value, row + place, sizeof value);
  return value;
}
template <class T>
void put_slot(std::byte* row, std::size_t place, T value) noexcept {
  std::memcpy(row + place, &value, sizeof value);
}

/// Slots as numbers of x, y and w. Codes of texts count in the order of the recipe's lists.
class RowExpander {
 public:
  /// `recipe` must outlive it.
  RowExpander(const Recipe& recipe, const RowSlots& slots);

  [[nodiscard]] std::size_t features() const noexcept { return features_; }
  [[nodiscard]] std::size_t values() const noexcept { return values_.size(); }

  /// Shapes: x [features], values [values]; a missing value is NaN.
  void expand_x(const std::byte* row, float* x) const;
  void expand_values(const std::byte* row, double* values) const;
  [[nodiscard]] std::int32_t label(const std::byte* row) const noexcept {
    return static_cast<std::int32_t>(take_slot<std::uint32_t>(row, label_));
  }
  [[nodiscard]] float weight(const std::byte* row) const noexcept { return take_slot<float>(row, weight_); }

 private:
  /// Numbers side by side that are copied, or one column.
  struct Part {
    std::size_t slot = 0;
    std::size_t copied = 0;  ///< how many numbers; 0: `column`
    const RecipeColumn* column = nullptr;
  };
  [[nodiscard]] static float* expand(const RecipeColumn& column, const std::byte* slot, float* x);

  std::vector<Part> parts_;
  std::vector<std::size_t> values_;  // their slots
  std::size_t features_ = 0;
  std::size_t label_ = 0;
  std::size_t weight_ = 0;
};

}  // namespace lockstep
