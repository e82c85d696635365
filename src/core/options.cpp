// Typed reading of options; every error names key, place and what was found.
#include "lockstep/options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/number_text.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::string describe(const OptionValue& value) {
  struct Visitor {
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(std::int64_t v) const { return fmt::format("{}", v); }
    std::string operator()(double v) const { return number_text(v); }
    std::string operator()(const std::string& v) const { return fmt::format("\"{}\"", v); }
    std::string operator()(const std::vector<double>& v) const { return fmt::format("{}", v); }
  };
  return std::visit(Visitor{}, value.get());
}

}  // namespace

void Options::expect_only(std::span<const std::string_view> known) const {
  for (const auto& [key, value] : values_) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      std::vector<std::string> keys(known.begin(), known.end());
      keys.insert(keys.end(), neighbours_.begin(), neighbours_.end());
      throw Error(ErrorKind::config,
                  fmt::format("{}unknown key \"{}\"; known keys: {}", where_.empty() ? "" : where_ + ": ", key,
                              keys.empty() ? "none" : fmt::format("{}", fmt::join(keys, ", "))));
    }
  }
}

const OptionValue* Options::find(std::string_view key) const {
  const auto found = values_.find(std::string(key));
  return found == values_.end() ? nullptr : &found->second;
}

void Options::fail(std::string_view key, const std::string& what) const {
  throw Error(ErrorKind::config, fmt::format("{}{}: {}", where_.empty() ? "" : where_ + ".", key, what));
}

std::int64_t Options::integer(std::string_view key, std::optional<std::int64_t> fallback) const {
  const OptionValue* value = find(key);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr) fail(key, "an integer is needed here");
  if (const auto* found = std::get_if<std::int64_t>(&value->get())) return *found;
  fail(key, "expected an integer, found " + describe(*value));
}

double Options::number(std::string_view key, std::optional<double> fallback) const {
  const OptionValue* value = find(key);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr) fail(key, "a number is needed here");
  if (const auto* found = std::get_if<double>(&value->get())) return *found;
  if (const auto* found = std::get_if<std::int64_t>(&value->get())) return static_cast<double>(*found);
  fail(key, "expected a number, found " + describe(*value));
}

bool Options::boolean(std::string_view key, std::optional<bool> fallback) const {
  const OptionValue* value = find(key);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr) fail(key, "true or false is needed here");
  if (const auto* found = std::get_if<bool>(&value->get())) return *found;
  fail(key, "expected true or false, found " + describe(*value));
}

std::string Options::text(std::string_view key, std::optional<std::string> fallback) const {
  const OptionValue* value = find(key);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr) fail(key, "a text is needed here");
  if (const auto* found = std::get_if<std::string>(&value->get())) return *found;
  fail(key, "expected a text, found " + describe(*value));
}

std::vector<double> Options::numbers(std::string_view key, std::optional<std::vector<double>> fallback) const {
  const OptionValue* value = find(key);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr) fail(key, "a list of numbers is needed here");
  if (const auto* found = std::get_if<std::vector<double>>(&value->get())) return *found;
  fail(key, "expected a list of numbers, found " + describe(*value));
}

std::int64_t Options::integer_in(std::string_view key, std::int64_t low, std::int64_t high,
                                 std::optional<std::int64_t> fallback) const {
  const std::int64_t value = integer(key, fallback);
  if (value < low || value > high) fail(key, fmt::format("expected {} to {}, found {}", low, high, value));
  return value;
}

double Options::number_in(std::string_view key, double low, double high, std::optional<double> fallback) const {
  const double value = number(key, fallback);
  if (!(value >= low && value <= high)) fail(key, fmt::format("expected {} to {}, found {}", low, high, value));
  return value;
}

}  // namespace lockstep
