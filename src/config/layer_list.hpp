// A list of layers that is written once and stands in a net several times.
//
// In such a list "input" is what the list reads: the layer before it, or the copy before. A name in it is that of each
// copy with the copy's number, "conv_2", and inputs that name it mean the layer of the same copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/run_config.hpp"

namespace lockstep {

inline constexpr std::size_t kMostLayers = 10'000;

/// Appends copy `copy`, from 1, of the layers of `block` to `layers`. What it reads from outside is not named yet, see
/// name_inputs().
void append_copy(std::span<const LayerConfig> block, std::int64_t copy, std::vector<LayerConfig>& layers);

/// Names what the copies read, once all layers are there. Errors: config, as layer_names().
void name_inputs(std::vector<LayerConfig>& layers);

}  // namespace lockstep
