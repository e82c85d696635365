// The one list of layers.
#include "layers/layer_table.hpp"

#include <fmt/format.h>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr LayerType kLayers[] = {
    {"dense", make_dense}, {"relu", make_relu},       {"leaky_relu", make_leaky_relu}, {"gelu", make_gelu},
    {"tanh", make_tanh},   {"sigmoid", make_sigmoid}, {"dropout", make_dropout},
};

}  // namespace

std::span<const LayerType> layer_table() {
  return kLayers;
}

std::unique_ptr<Layer> make_layer(std::string_view type, const Options& options) {
  std::string known;
  for (const LayerType& entry : kLayers) {
    if (entry.name == type) return entry.make(options);
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.name);
  }
  throw Error(ErrorKind::config,
              fmt::format("{}: unknown layer type \"{}\"; known types: {}", options.where(), type, known));
}

}  // namespace lockstep
