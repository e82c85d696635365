// The one visible table of layers: type name to factory.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "layers/layer.hpp"

namespace lockstep {

// One factory a layer, defined in the layer's file. Each checks its options (unknown keys, ranges) and throws config.
[[nodiscard]] std::unique_ptr<Layer> make_dense(const Options& options);
[[nodiscard]] std::unique_ptr<Layer> make_relu(const Options& options);
[[nodiscard]] std::unique_ptr<Layer> make_leaky_relu(const Options& options);
[[nodiscard]] std::unique_ptr<Layer> make_gelu(const Options& options);
[[nodiscard]] std::unique_ptr<Layer> make_tanh(const Options& options);
[[nodiscard]] std::unique_ptr<Layer> make_sigmoid(const Options& options);
[[nodiscard]] std::unique_ptr<Layer> make_dropout(const Options& options);

struct LayerType {
  std::string_view name;
  std::unique_ptr<Layer> (*make)(const Options& options);
};

/// All layer types, in the order of the documentation.
[[nodiscard]] std::span<const LayerType> layer_table();

/// Errors: config (unknown type, listing the known ones; bad options).
[[nodiscard]] std::unique_ptr<Layer> make_layer(std::string_view type, const Options& options);

}  // namespace lockstep
