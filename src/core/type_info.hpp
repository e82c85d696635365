// A type that a run file may name (a layer, say) and the options that it takes: one row each, from which the reading of
// options, help, documentation and tests are made.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/options.hpp"

namespace lockstep {

enum class OptionType { integer, number, boolean, text, numbers, any };  // any: what it may be, what reads it tells

[[nodiscard]] std::string_view type_name(OptionType type) noexcept;

struct OptionInfo {
  std::string_view name;
  OptionType type = OptionType::number;
  std::string_view what;                               ///< a phrase
  std::optional<OptionValue> fallback = {};            ///< what it is where it is not given
  bool needed = false;                                 ///< it must be given
  double low = std::numeric_limits<double>::lowest();  ///< of integers and numbers, itself allowed
  double high = std::numeric_limits<double>::max();
  bool below = false;                          ///< `high` itself is not allowed
  std::vector<std::string_view> choices = {};  ///< of a text, all that it may be; empty: anything
};

/// A number that may be 0 or anything above.
[[nodiscard]] inline OptionInfo at_least_0(std::string_view name, double fallback, std::string_view what) {
  return {.name = name, .what = what, .fallback = fallback, .low = 0};
}

struct TypeInfo {
  std::string_view name;
  std::string_view what;  ///< a formula, or a phrase
  std::vector<OptionInfo> options = {};
};

/// Throws what find_type() says.
[[noreturn]] void refuse_type(std::string_view name, std::string_view kind, const std::string& where,
                              const std::vector<std::string_view>& known);

/// `options`, with what is not given as `info` says. Errors: config (a key that it does not take, one that is needed;
/// another type; out of bounds), naming key and place.
[[nodiscard]] Options complete(const TypeInfo& info, const Options& options);

/// The row of a table, whose rows have an `info`, that is of type `name`. `where` in a run file it is named, and what
/// `kind` of type it is ("loss"). Errors: config, listing the types that there are.
template <class Table>
[[nodiscard]] const auto& find_type(const Table& table, std::string_view name, std::string_view kind,
                                    const std::string& where) {
  std::vector<std::string_view> known;
  for (const auto& row : table) {
    if (row.info.name == name) return row;
    known.push_back(row.info.name);
  }
  refuse_type(name, kind, where, known);
}

/// "dense (units, bias, init, init_value)".
[[nodiscard]] std::string summary_of(const TypeInfo& info);

/// A line for each option, or one where it takes none: kind, name, what it is, option, type, default, what that does,
/// with tabs between.
[[nodiscard]] std::string describe(std::string_view kind, const TypeInfo& info);

/// The default as a run file has it, or "needed"; empty where there is none.
[[nodiscard]] std::string default_text(const OptionInfo& option);

}  // namespace lockstep
