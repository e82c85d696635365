// What was met in the rows of a table that was read by a recipe, by one process or by several.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace lockstep {

/// What was met in the rows that were read.
struct CsvMet {
  struct BadRow {
    std::size_t row = 0;  ///< of the table, counted from 0
    std::size_t line = 0;
    std::string what = {};
  };
  std::size_t bad = 0;
  std::optional<BadRow> first_bad = {};
  /// By column: how many fields have a text that the recipe does not know, and some of them, with their rows.
  struct Unknown {
    std::size_t fields = 0;
    std::map<std::string, std::size_t> texts = {};
  };
  std::map<std::string, Unknown> unknown = {};
};

/// As JSON, to be sent to others; `more` joined to `all`.
[[nodiscard]] std::string encode(const CsvMet& met);
void join(CsvMet& all, const std::string& more);

}  // namespace lockstep
