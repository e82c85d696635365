// The net of an explanation as a drawing: units with what they computed, edges with weight and gradient, and the chain
// of the chosen weight.
#pragma once

#include <string>

#include "explain/explanation.hpp"

namespace lockstep {

/// The drawing as an SVG element for a page, which styles it (explain/page/network.css) and moves the highlight: each
/// edge has its numbers, visible or not.
///   data-edge="STAGE:UNIT,INPUT"   an edge; "STAGE:UNIT" a bias, "cost:UNIT" from an output to the cost
///   data-unit="STAGE:UNIT"         a unit; "x:INPUT" an input
/// What lies on the chain has the class "on", and the whole "chosen" where there is one.
[[nodiscard]] std::string network_drawing(const Explanation& explanation);

/// The drawing as a file of its own: white background, a title, what the colours mean, the chain as a product; no
/// scripts and nothing loaded.
[[nodiscard]] std::string network_svg(const Explanation& explanation);

}  // namespace lockstep
