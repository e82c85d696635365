// Names of single weights: "dense2[3,0]" is weight [3,0] of layer dense2, "dense2[3]" its bias 3.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/parameters.hpp"

namespace lockstep {

/// One number of the arenas.
struct WeightPlace {
  std::size_t parameter = 0;  ///< index into the table
  std::size_t element = 0;    ///< of the arena
};

/// The weight that `name` means: LAYER[i], LAYER[i,j] or LAYER/PARAMETER[i,...]; indices count from 0. Without a
/// parameter it is the layer's first with as many dimensions as there are indices. `where` is for messages
/// ("--weight"). Errors: usage, naming what there is.
[[nodiscard]] WeightPlace find_weight(const ParameterTable& table, std::string_view name, std::string_view where);

/// The name of element `element` of the arena, which lies in `parameter`: the shortest that find_weight takes for it.
[[nodiscard]] std::string weight_name(const ParameterTable& table, const WeightPlace& place);

}  // namespace lockstep
