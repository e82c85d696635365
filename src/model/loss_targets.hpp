// Losses of values that are computed target by target, in double.
#pragma once

#include <cstddef>
#include <span>

#include "model/loss_types.hpp"

namespace lockstep {

/// The mean over the targets of what evaluate_target() gives.
class TargetLoss : public Loss {
 public:
  /// Errors: config (outputs that make no whole targets).
  void check_outputs(std::size_t outputs) const override;

 private:
  [[nodiscard]] double evaluate_target(std::size_t index, std::span<const float> outputs, float target,
                                       std::span<float> doutputs) const override = 0;
  [[nodiscard]] double evaluate_rows(std::size_t width, std::span<const float> outputs, const Targets& targets,
                                     std::span<float> doutputs) const final;
};

}  // namespace lockstep
