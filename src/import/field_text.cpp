#include "import/field_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "core/visible_text.hpp"
#include "import/plain_number.hpp"

namespace lockstep {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) + 1 - begin);
}

// Spaces, a plus sign, numbers beyond the type: seldom.
template <class T>
NumberFault parse_slowly(std::string_view text, T& out) noexcept {
  text = trimmed(text);
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const char* end = text.data() + text.size();
  const auto [stopped, code] = std::from_chars(text.data(), end, out);
  if (stopped != end || text.empty() || code == std::errc::invalid_argument) return NumberFault::text;
  if (code == std::errc()) return std::isfinite(out) ? NumberFault::none : NumberFault::not_finite;
  // Out of range: too large, or so small that it is 0 (or so in float), which from_chars does not tell apart.
  double wide = 0;
  if (std::from_chars(text.data(), end, wide).ec == std::errc()) {
    out = static_cast<T>(wide);
    return std::isfinite(out) ? NumberFault::none : NumberFault::too_large;
  }
  const std::size_t exponent = text.find_first_of("eE");
  if (exponent != std::string_view::npos && text.substr(exponent + 1).starts_with('-')) {
    out = T{0};
    return NumberFault::none;
  }
  return NumberFault::too_large;
}

}  // namespace

template <class T>
NumberFault parse_number(std::string_view text, T& out) noexcept {
  if (parse_plain_number(text.data(), text.data() + text.size(), out) == text.data() + text.size() && !text.empty()) {
    return NumberFault::none;
  }
  const char* end = text.data() + text.size();
  const auto [stopped, code] = std::from_chars(text.data(), end, out);
  if (code == std::errc() && stopped == end && std::abs(out) <= std::numeric_limits<T>::max()) return NumberFault::none;
  return parse_slowly(text, out);
}
template NumberFault parse_number(std::string_view text, float& out) noexcept;
template NumberFault parse_number(std::string_view text, double& out) noexcept;

template <class T>
NumberFault parse_comma_number(std::string_view text, T& out) noexcept {
  std::array<char, 64> point{};
  text = trimmed(text);
  if (text.size() > point.size() || text.find('.') != std::string_view::npos) return NumberFault::text;
  std::replace_copy(text.begin(), text.end(), point.begin(), ',', '.');
  return parse_number({point.data(), text.size()}, out);
}
template NumberFault parse_comma_number(std::string_view text, float& out) noexcept;
template NumberFault parse_comma_number(std::string_view text, double& out) noexcept;

bool has_commas(std::string_view text) noexcept {
  text = trimmed(text);
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  const std::size_t end = text.find_first_not_of("0123456789,.");
  const std::string_view digits = text.substr(0, end);
  const bool has_digit = digits.find_first_of("0123456789") != std::string_view::npos;
  if (!has_digit || digits.find(',') == std::string_view::npos) return false;
  if (digits.find(",,") != std::string_view::npos || digits.ends_with(',')) return false;
  if (end == std::string_view::npos) return true;
  double exponent = 0;  // "1,5e-3": what stands behind makes a number
  return (text[end] == 'e' || text[end] == 'E') &&
         parse_number(std::string("1").append(text.substr(end)), exponent) != NumberFault::text;
}

bool is_uuid(std::string_view text) noexcept {
  constexpr std::string_view form = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
  return text.size() == form.size() && std::equal(text.begin(), text.end(), form.begin(), [](char c, char wanted) {
           return wanted == '-' ? c == '-' : std::isxdigit(static_cast<unsigned char>(c)) != 0;
         });
}

std::string describe(NumberFault fault, std::string_view text) {
  switch (fault) {
    case NumberFault::not_finite:
      return fmt::format("expected a finite number, found {}", shown(text));
    case NumberFault::too_large:
      return fmt::format("{} is larger than a 32-bit float can hold; rescale the column", shown(text));
    default:
      return fmt::format("expected a number, found {}", shown(text));
  }
}

bool is_missing_number(std::string_view text) noexcept {
  if (text.empty()) return true;
  text = trimmed(text);
  if (text.size() > 4) return false;
  std::array<char, 4> lower{};
  for (std::size_t i = 0; i < text.size(); ++i) {
    lower[i] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[i])));
  }
  const std::string_view word(lower.data(), text.size());
  return word.empty() || word == "na" || word == "n/a" || word == "nan" || word == "null" || word == "?";
}

std::string shown(std::string_view text) {
  constexpr std::size_t most = 40;  // bytes
  if (text.size() <= most) return fmt::format("'{}'", visible(text));
  std::size_t end = most;  // not within a character
  while (end > most - 3 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return fmt::format("'{}...'", visible(text.substr(0, end)));
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

}  // namespace lockstep
