#include "config/layer_names.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::string_view kNameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

[[noreturn]] void fail(std::size_t index, const LayerConfig& layer, const std::string& what) {
  throw Error(ErrorKind::config, fmt::format("{}: {}", layer_place(index, layer), what));
}

// A name in the inputs of layer `index`.
std::size_t find_input(std::size_t index, const LayerConfig& layer, std::span<const std::string> names,
                       const std::string& name) {
  if (name == kNetInput) return 0;
  const auto found = std::ranges::find(names, name);
  const auto at = static_cast<std::size_t>(found - names.begin());
  if (at < index) return at + 1;
  if (at == index) fail(index, layer, fmt::format("inputs: it cannot read its own output (\"{}\")", name));
  if (found != names.end()) {
    fail(index, layer, fmt::format("inputs: \"{}\" stands behind it; a layer reads layers that stand before it", name));
  }
  fail(index, layer,
       fmt::format("inputs: no layer is named \"{}\"; before it stand {}{}", name, kNetInput,
                   index == 0 ? "" : fmt::format(", {}", fmt::join(names.first(index), ", "))));
}

}  // namespace

bool is_layer_name(std::string_view name) noexcept {
  return !name.empty() && name.find_first_not_of(kNameCharacters) == std::string_view::npos;
}

std::string layer_place(std::size_t index, const LayerConfig& layer) {
  return fmt::format("model.layers[{}] ({})", index, layer.type);
}

std::vector<std::string> layer_names(std::span<const LayerConfig> layers) {
  std::vector<std::string> names;
  std::map<std::string, std::size_t> type_counts;
  std::map<std::string, std::size_t> owners;
  for (std::size_t index = 0; index < layers.size(); ++index) {
    const LayerConfig& layer = layers[index];
    const std::size_t count = ++type_counts[layer.type];
    std::string name = layer.name.empty() ? fmt::format("{}{}", layer.type, count) : layer.name;
    if (!is_layer_name(name)) {
      fail(index, layer, fmt::format("expected a name of letters, digits, '_' and '-', found \"{}\"", name));
    }
    if (name == kNetInput) {
      fail(index, layer, fmt::format("the name \"{}\" is that of what the net gets; give it another name", name));
    }
    const auto [owner, is_new] = owners.emplace(name, index);
    if (!is_new) {
      fail(index, layer,
           fmt::format("the name \"{}\" is taken by {}; give one of them another name", name,
                       layer_place(owner->second, layers[owner->second])));
    }
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<std::vector<std::size_t>> layer_inputs(std::span<const LayerConfig> layers,
                                                   std::span<const std::string> names) {
  std::vector<std::vector<std::size_t>> inputs;
  std::vector<bool> read(layers.size() + 1, false);
  for (std::size_t index = 0; index < layers.size(); ++index) {
    std::vector<std::size_t>& of_layer = inputs.emplace_back();
    for (const std::string& name : layers[index].inputs) {
      of_layer.push_back(find_input(index, layers[index], names, name));
    }
    if (of_layer.empty()) of_layer.push_back(index);  // the layer before it
    for (const std::size_t value : of_layer) read[value] = true;
  }
  for (std::size_t index = 0; index + 1 < layers.size(); ++index) {
    if (read[index + 1]) continue;
    fail(index, layers[index],
         fmt::format("no layer reads the output of \"{}\"; name it in the inputs of another "
                     "layer, or leave it out",
                     names[index]));
  }
  return inputs;
}

}  // namespace lockstep
