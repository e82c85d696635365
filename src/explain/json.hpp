// An explanation as JSON: what the page draws, and what scripts read.
#pragma once

#include <nlohmann/json.hpp>

#include "explain/explanation.hpp"

namespace lockstep {

/// All numbers of an explanation. Those that are not finite are null.
[[nodiscard]] nlohmann::ordered_json explanation_json(const Explanation& explanation);

}  // namespace lockstep
