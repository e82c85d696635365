// What an import did with a table, so that other tables of the same columns can be read by it: which column is what,
// its categories, what stands for missing fields. A recipe is kept in the HDF5 file and, as text, in every checkpoint
// of a net that was trained on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// What a column is.
enum class ColumnUse { dropped, number, category, date, value, label, weight };

/// What becomes of a missing field. The last four are fills.
enum class MissingRule { refuse, drop, mean, median, most_frequent, zero };

[[nodiscard]] std::string_view use_name(ColumnUse use) noexcept;
[[nodiscard]] std::string_view rule_name(MissingRule rule) noexcept;
/// Unset: no such rule.
[[nodiscard]] std::optional<MissingRule> missing_rule(std::string_view name) noexcept;
[[nodiscard]] constexpr bool is_fill(MissingRule rule) noexcept {
  return rule != MissingRule::refuse && rule != MissingRule::drop;
}
[[nodiscard]] constexpr bool is_feature(ColumnUse use) noexcept {
  return use == ColumnUse::number || use == ColumnUse::category || use == ColumnUse::date;
}

struct RecipeColumn {
  std::string name;
  ColumnUse use = ColumnUse::number;
  MissingRule missing = MissingRule::refuse;
  bool indicator = false;  ///< a feature of its own tells where a field was missing: "NAME.missing"
  /// Of several values: whether a missing one stays missing; unset, of an older recipe: unless it is to be dropped.
  std::optional<bool> gaps = {};
  double fill = 0;  ///< number, date (days): what stands for a missing field, where the rule is a fill
  /// Category: which of the texts stands for a missing one; unset: none, all its features are 0.
  std::optional<std::uint32_t> fill_category = {};
  std::vector<std::string> texts = {};  ///< of a category or a label, sorted; a label's are the classes
  std::string date_format = {};         ///< of strptime; empty: ISO 8601
  bool time_of_day = false;             ///< date: whether features tell the time of the day

  [[nodiscard]] bool keeps_gaps() const noexcept { return gaps.value_or(missing != MissingRule::drop); }
  bool operator==(const RecipeColumn&) const = default;
};

/// A table's columns, in its order, and how its text is read.
struct Recipe {
  char delimiter = ',';
  char decimal = '.';
  bool header = true;  ///< else columns are named 1, 2, ...
  std::vector<RecipeColumn> columns = {};

  bool operator==(const Recipe&) const = default;

  /// Names of the features, in the order of the columns: a number's own; "NAME=TEXT" of each text; of a date those of
  /// date_features(); behind them the indicator's.
  [[nodiscard]] std::vector<std::string> features() const;
  [[nodiscard]] std::vector<std::string> targets() const;      ///< names of values, or of the label
  [[nodiscard]] std::vector<std::string> categorical() const;  ///< names of the categories
  [[nodiscard]] const RecipeColumn* label() const noexcept;    ///< null: targets are values
  [[nodiscard]] const RecipeColumn* weight() const noexcept;   ///< null: samples have no weights
};

/// Features that column `column` has made. Shape: columns of x.
[[nodiscard]] std::size_t width_of(const RecipeColumn& column) noexcept;

/// As JSON; the inverse.
[[nodiscard]] std::string to_json(const Recipe& recipe);
/// `source` is for messages. Errors: data (no recipe, or one that does not go together), whatever the text is.
[[nodiscard]] Recipe recipe_of_json(const std::string& json, const std::string& source);

/// The most columns of a table, texts of a category, classes, and features in all.
inline constexpr std::size_t kMostColumns = 65536;
inline constexpr std::size_t kMostCategories = 1000;
inline constexpr std::size_t kMostClasses = 65536;
inline constexpr std::size_t kMostFeatures = std::size_t{1} << 20U;

}  // namespace lockstep
