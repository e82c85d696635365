// What a field of a table says: a number, nothing, or a text.
#pragma once

#include <string>
#include <string_view>

namespace lockstep {

enum class NumberFault { none, text, not_finite, too_large };

/// The number in `text`, all of it: decimal, with or without exponent and sign, spaces around it. What is too small for
/// T is 0. T: float or double.
template <class T>
[[nodiscard]] NumberFault parse_number(std::string_view text, T& out) noexcept;

/// "expected a number, found 'abc'", or what else is wrong; `fault` is not none.
[[nodiscard]] std::string describe(NumberFault fault, std::string_view text);

/// Whether a field of numbers holds none: empty, or NA, N/A, NaN, null or ?, in any case.
[[nodiscard]] bool is_missing_number(std::string_view text) noexcept;

/// `text` for a message: in quotes, cut short, what does not print as \xNN.
[[nodiscard]] std::string shown(std::string_view text);

/// A number with commas in it, before decimals or between thousands: "1,5", "1.234,5", "-1,234,567".
[[nodiscard]] bool has_commas(std::string_view text) noexcept;

/// A number with a decimal comma, and no point. Errors as of parse_number.
template <class T>
[[nodiscard]] NumberFault parse_comma_number(std::string_view text, T& out) noexcept;

/// "123e4567-e89b-12d3-a456-426614174000", say. Source: RFC 9562, section 4.
[[nodiscard]] bool is_uuid(std::string_view text) noexcept;

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

/// "a, b, c, ... and 7 more".
template <class Names>
[[nodiscard]] std::string listed(const Names& names, std::size_t most = 20) {
  std::string text;
  std::size_t count = 0;
  for (const auto& name : names) {
    if (count++ < most) text += (count == 1 ? "" : ", ") + std::string(name);
  }
  return count > most ? text + ", ... and " + std::to_string(count - most) + " more" : text;
}

}  // namespace lockstep
