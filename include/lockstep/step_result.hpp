// What a training step did.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace lockstep {

/// Where the time of a step went on this rank [seconds].
struct StepTimes {
  double input = 0;    ///< waited for samples to be read, where they are streamed
  double gather = 0;   ///< samples converted and normalised
  double forward = 0;  ///< with the loss
  double backward = 0;
  double wait = 0;           ///< for other ranks of the host, where the exchange can tell (node)
  double communication = 0;  ///< for data of other hosts: what is not hidden behind the rest (node)
  double exchange = 0;       ///< gradients combined, weights updated and published
  [[nodiscard]] double total() const noexcept {
    return input + gather + forward + backward + wait + communication + exchange;
  }
};

/// What one step did; the same on every rank but for the times.
struct StepResult {
  std::uint64_t step = 0;   ///< counts from 1
  std::size_t samples = 0;  ///< of the global batch
  /// What the loss and the gradient are divided by: the number of samples or, where they have weights, classes have, or
  /// targets are missing, the sum over the samples of |weight| * class weight * share of targets that are there.
  double weight = 0;
  double weight_sum = 0;  ///< the same with the signs of the weights
  double loss = 0;        ///< mean over the global batch, by weight, before the update
  double learning_rate = 0;
  std::optional<double> gradient_norm = {};  ///< before clipping; set where the update looks at it
  /// Why nothing has changed: what was not finite, where the run skips such steps; or all samples have weight 0, and
  /// the loss is NaN. Or empty.
  std::string skipped = {};
  StepTimes times = {};
};

}  // namespace lockstep
