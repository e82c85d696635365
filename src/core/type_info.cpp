#include "core/type_info.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>

#include "core/number_text.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

void check_choice(const OptionInfo& option, const Options& options) {
  const std::string value = options.text(option.name);
  if (std::ranges::find(option.choices, value) != option.choices.end()) return;
  throw Error(ErrorKind::config, fmt::format("{}{}: expected one of {}, found \"{}\"",
                                             options.where().empty() ? "" : options.where() + ".", option.name,
                                             fmt::join(option.choices, ", "), value));
}

void check_number(const OptionInfo& option, const Options& options) {
  const double value = options.number(option.name);
  if (value >= option.low && (option.below ? value < option.high : value <= option.high)) return;
  const std::string expected = option.high == std::numeric_limits<double>::max()
                                   ? fmt::format("a finite number of at least {}", option.low)
                               : option.below ? fmt::format("a number from {} to below {}", option.low, option.high)
                                              : fmt::format("{} to {}", option.low, option.high);
  throw Error(ErrorKind::config,
              fmt::format("{}{}: expected {}, found {}", options.where().empty() ? "" : options.where() + ".",
                          option.name, expected, value));
}

// Of an option that is given.
void check(const OptionInfo& option, const Options& options) {
  switch (option.type) {
    case OptionType::integer: {
      // (What no double holds is beyond all bounds that there are.)
      const auto bound = [](double value) {
        constexpr auto most = double{std::int64_t{1} << 53U};
        return static_cast<std::int64_t>(std::clamp(value, -most, most));
      };
      (void)options.integer_in(option.name, bound(option.low), bound(option.high));
      break;
    }
    case OptionType::number:
      check_number(option, options);
      break;
    case OptionType::boolean:
      (void)options.boolean(option.name);
      break;
    case OptionType::text:
      (void)options.text(option.name);
      if (!option.choices.empty()) check_choice(option, options);
      break;
    case OptionType::numbers:
      (void)options.numbers(option.name);
      break;
    case OptionType::any:
      break;
  }
}

}  // namespace

std::string_view type_name(OptionType type) noexcept {
  constexpr std::array<std::string_view, 6> names{"integer", "number", "boolean", "text", "numbers", "any"};
  return names[static_cast<std::size_t>(type)];
}

void refuse_type(std::string_view name, std::string_view kind, const std::string& where,
                 const std::vector<std::string_view>& known) {
  throw Error(ErrorKind::config,
              fmt::format("{}: unknown {} \"{}\"; known types: {}", where, kind, name, fmt::join(known, ", ")));
}

Options complete(const TypeInfo& info, const Options& options) {
  std::vector<std::string_view> known;
  for (const OptionInfo& option : info.options) known.push_back(option.name);
  options.expect_only(known);
  Options all = options;
  for (const OptionInfo& option : info.options) {
    if (options.values().contains(std::string(option.name)) || option.needed) {
      check(option, options);
    } else if (option.fallback) {
      all.set(std::string(option.name), *option.fallback);
    }
  }
  return all;
}

std::string summary_of(const TypeInfo& info) {
  if (info.options.empty()) return std::string(info.name);
  std::vector<std::string_view> names;
  for (const OptionInfo& option : info.options) names.push_back(option.name);
  return fmt::format("{} ({})", info.name, fmt::join(names, ", "));
}

std::string describe(std::string_view kind, const TypeInfo& info) {
  if (info.options.empty()) return fmt::format("{}\t{}\t{}\t\t\t\t\n", kind, info.name, info.what);
  std::string lines;
  for (const OptionInfo& option : info.options) {
    lines += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}", kind, info.name, info.what, option.name, type_name(option.type),
                         default_text(option), option.what);
    if (!option.choices.empty()) lines += fmt::format("; one of {}", fmt::join(option.choices, ", "));
    lines += '\n';
  }
  return lines;
}

std::string default_text(const OptionInfo& option) {
  if (option.needed) return "needed";
  if (!option.fallback) return "";
  struct Visitor {
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const { return number_text(value); }
    std::string operator()(const std::string& value) const { return '"' + value + '"'; }
    std::string operator()(const std::vector<double>& value) const { return fmt::format("{}", value); }
  };
  return std::visit(Visitor{}, option.fallback->get());
}

}  // namespace lockstep
