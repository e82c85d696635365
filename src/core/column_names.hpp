// What the columns of a data set are called: in a data file, in a checkpoint, and where both have to agree.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// Empty lists: the file does not say.
struct ColumnNames {
  std::vector<std::string> features = {};  ///< [columns of x]
  std::vector<std::string> targets = {};   ///< [columns of y]
  /// Columns of texts in the table behind the data. A text t of column c has made the feature "c=t", of 0 and 1.
  std::vector<std::string> categorical = {};
  /// How columns of a table have become these (import/recipe.hpp), as JSON; nothing between import and its readers
  /// looks into it.
  std::string recipe = {};

  [[nodiscard]] bool empty() const noexcept { return features.empty() && targets.empty() && categorical.empty(); }
  bool operator==(const ColumnNames&) const = default;

  /// The number of the categorical column that has made `feature`: the one with the longest name; [categorical] where
  /// none has.
  [[nodiscard]] std::size_t column_of(std::string_view feature) const noexcept {
    std::size_t found = categorical.size();
    for (std::size_t i = 0; i < categorical.size(); ++i) {
      const std::string& name = categorical[i];
      const bool fits = feature.size() > name.size() && feature.starts_with(name) && feature[name.size()] == '=';
      if (fits && (found == categorical.size() || name.size() > categorical[found].size())) found = i;
    }
    return found;
  }
};

/// "column 3 'age'", or "column 3" where columns have no names.
[[nodiscard]] inline std::string column_text(std::size_t column, std::span<const std::string> names) {
  return "column " + std::to_string(column) + (column < names.size() ? " '" + names[column] + "'" : "");
}

}  // namespace lockstep
