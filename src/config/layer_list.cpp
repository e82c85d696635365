#include "config/layer_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "config/layer_names.hpp"

namespace lockstep {
namespace {

// "@3": the layer that stands 3 before the one whose input it is; no layer has such a name.
constexpr char kBefore = '@';

std::optional<std::size_t> distance_of(std::string_view name) {
  std::size_t distance = 0;
  if (name.empty() || name.front() != kBefore) return {};
  const auto [end, error] = std::from_chars(name.data() + 1, name.data() + name.size(), distance);
  if (error != std::errc{} || end != name.data() + name.size()) return {};
  return distance;
}

}  // namespace

void append_copy(std::span<const LayerConfig> block, std::int64_t copy, std::vector<LayerConfig>& layers) {
  for (std::size_t index = 0; index < block.size(); ++index) {
    LayerConfig layer = block[index];
    if (!layer.name.empty()) layer.name += fmt::format("_{}", copy);
    for (std::string& input : layer.inputs) {
      if (input == kNetInput) {
        input = fmt::format("{}{}", kBefore, index + 1);
      } else if (std::ranges::find(block, input, &LayerConfig::name) != block.end()) {
        input += fmt::format("_{}", copy);
      }
    }
    layers.push_back(std::move(layer));
  }
}

void name_inputs(std::vector<LayerConfig>& layers) {
  std::vector<std::string> names;
  for (std::size_t index = 0; index < layers.size(); ++index) {
    for (std::string& input : layers[index].inputs) {
      const auto distance = distance_of(input);
      if (!distance) continue;
      if (names.empty()) names = layer_names(layers);
      input = *distance > index ? std::string(kNetInput) : names[index - *distance];
    }
  }
}

}  // namespace lockstep
