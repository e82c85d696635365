#include "core/duration.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

namespace lockstep {
namespace {

// Takes digits off the front of `text`.
std::optional<double> take_number(std::string_view& text) noexcept {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, char wanted) noexcept {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

// [DAYS-]HOURS:MINUTES:SECONDS
std::optional<double> parse_clock(std::string_view text) noexcept {
  double seconds = 0;
  auto number = take_number(text);
  if (number && take(text, '-')) {
    seconds = *number * 86400;
    number = take_number(text);
  }
  for (const double unit : {3600.0, 60.0}) {
    if (!number || !take(text, ':')) return {};
    seconds += *number * unit;
    number = take_number(text);
    if (!number || *number >= 60) return {};
  }
  if (!text.empty()) return {};
  return seconds + *number;
}

std::optional<double> parse_units(std::string_view text) noexcept {
  double seconds = 0;
  for (const auto& [unit, length] :
       std::array<std::pair<char, double>, 4>{{{'d', 86400.0}, {'h', 3600.0}, {'m', 60.0}, {'s', 1.0}}}) {
    std::string_view rest = text;
    const auto number = take_number(rest);
    if (!number || !take(rest, unit)) continue;
    seconds += *number * length;
    text = rest;
  }
  if (!text.empty()) return {};
  return seconds;
}

}  // namespace

std::optional<double> parse_duration(std::string_view text) noexcept {
  const auto seconds = text.find(':') == std::string_view::npos ? parse_units(text) : parse_clock(text);
  constexpr double kLongest = 100.0 * 366 * 86400;
  if (!seconds || *seconds <= 0 || *seconds > kLongest) return {};
  return seconds;
}

}  // namespace lockstep
