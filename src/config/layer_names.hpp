// The layers of a net by their names.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/run_config.hpp"

namespace lockstep {

/// What the first layer reads, as `inputs` name it.
inline constexpr std::string_view kNetInput = "input";

/// "model.layers[3] (dense)"
[[nodiscard]] std::string layer_place(std::size_t index, const LayerConfig& layer);

/// Whether it is of letters, digits, '_' and '-', and not empty.
[[nodiscard]] bool is_layer_name(std::string_view name) noexcept;

/// Each layer's own name, or its type and how many of that type there are up to it: "dense2".
/// Errors: config (two of one name, other characters than letters, digits, '_' and '-', the name of the net's input).
[[nodiscard]] std::vector<std::string> layer_names(std::span<const LayerConfig> layers);

/// What each layer reads, [layers][inputs]: 0 the net's input, i + 1 the output of layer i.
/// Errors: config (a name that there is not, or not yet; a layer that nobody reads), naming the layer.
[[nodiscard]] std::vector<std::vector<std::size_t>> layer_inputs(std::span<const LayerConfig> layers,
                                                                 std::span<const std::string> names);

}  // namespace lockstep
