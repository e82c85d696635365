#include "core/weight_name.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <optional>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

struct ParsedName {
  std::string_view layer;
  std::string_view parameter;  // empty: any
  std::vector<std::size_t> indices;
};

std::optional<ParsedName> parse(std::string_view name) {
  const std::size_t open = name.find('[');
  if (open == std::string_view::npos || open == 0 || !name.ends_with(']')) return std::nullopt;
  ParsedName parsed{name.substr(0, open), {}, {}};
  if (const std::size_t slash = parsed.layer.find('/'); slash != std::string_view::npos) {
    parsed.parameter = parsed.layer.substr(slash + 1);
    parsed.layer = parsed.layer.substr(0, slash);
    if (parsed.parameter.empty()) return std::nullopt;
  }
  std::string_view list = name.substr(open + 1, name.size() - open - 2);
  while (true) {
    const std::size_t comma = list.find(',');
    std::string_view word = list.substr(0, comma);
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), index);
    if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
    parsed.indices.push_back(index);
    if (comma == std::string_view::npos) return parsed;
    list.remove_prefix(comma + 1);
  }
}

std::string known_parameters(const ParameterTable& table) {
  std::vector<std::string> known;
  for (const Parameter& parameter : table.entries()) {
    known.push_back(fmt::format("{}/{} [{}]", parameter.layer, parameter.name, fmt::join(parameter.shape, ",")));
  }
  return fmt::format("{}", fmt::join(known, ", "));
}

bool is_meant(const Parameter& parameter, const ParsedName& name) {
  return parameter.layer == name.layer && parameter.shape.size() == name.indices.size() &&
         (name.parameter.empty() || parameter.name == name.parameter);
}

}  // namespace

WeightPlace find_weight(const ParameterTable& table, std::string_view name, std::string_view where) {
  const std::optional<ParsedName> parsed = parse(name);
  if (!parsed) {
    throw Error(ErrorKind::usage, fmt::format("{}: expected a weight like dense1[3,0], or a bias like dense1[3], found "
                                              "\"{}\"",
                                              where, name));
  }
  for (std::size_t index = 0; index < table.entries().size(); ++index) {
    const Parameter& parameter = table.entries()[index];
    if (!is_meant(parameter, *parsed)) continue;
    std::size_t offset = 0;
    for (std::size_t dimension = 0; dimension < parameter.shape.size(); ++dimension) {
      const std::size_t extent = parameter.shape[dimension];
      if (parsed->indices[dimension] >= extent) {
        throw Error(ErrorKind::usage,
                    fmt::format("{}: {}/{} is [{}], counted from 0; there is no {}", where, parameter.layer,
                                parameter.name, fmt::join(parameter.shape, ","), name));
      }
      offset = offset * extent + parsed->indices[dimension];
    }
    return {.parameter = index, .element = parameter.range.begin + offset};
  }
  throw Error(ErrorKind::usage, fmt::format("{}: the net has no {}; it has {}", where, name, known_parameters(table)));
}

std::string weight_name(const ParameterTable& table, const WeightPlace& place) {
  const Parameter& parameter = table.entries()[place.parameter];
  std::vector<std::size_t> indices(parameter.shape.size());
  std::size_t offset = place.element - parameter.range.begin;
  for (std::size_t dimension = indices.size(); dimension-- > 0;) {
    indices[dimension] = offset % parameter.shape[dimension];
    offset /= parameter.shape[dimension];
  }
  bool first = true;  // of the layer with as many dimensions
  for (const Parameter& other : table.entries().first(place.parameter)) {
    first = first && !is_meant(other, {parameter.layer, {}, indices});
  }
  return fmt::format("{}{}{}[{}]", parameter.layer, first ? "" : "/", first ? "" : parameter.name,
                     fmt::join(indices, ","));
}

}  // namespace lockstep
