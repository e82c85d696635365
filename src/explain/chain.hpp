// The chain rule of one weight, path by path.
#pragma once

#include <cstddef>
#include <span>

#include "core/function_ref.hpp"
#include "explain/explanation.hpp"

namespace lockstep {

/// dZ[unit]/dx[input] of a stage, see Stage.
using InputSlope = FunctionRef<double(std::size_t stage, std::size_t unit, std::size_t input)>;

/// The ways from the cost to `weight` of stage `stage`. Where they are few, each begins at an output of the net; else
/// each begins at the error of a unit of the next stage, which is the sum over all behind it, and the largest are kept.
[[nodiscard]] Chain make_chain(std::span<const Stage> stages, std::size_t stage, const ExplainedWeight& weight,
                               InputSlope slope);

}  // namespace lockstep
