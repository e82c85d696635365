// What the losses' files share.
#pragma once

#include <cstddef>
#include <span>

#include "model/loss.hpp"

namespace lockstep {

/// The number of rows. Errors: usage (sizes of outputs, targets and doutputs do not match).
[[nodiscard]] std::size_t checked_rows(TargetKind kind, std::size_t width, std::span<const float> outputs,
                                       const Targets& targets, std::span<const float> doutputs,
                                       std::size_t outputs_per_target = 1);

}  // namespace lockstep
