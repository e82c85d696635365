// The exponential moving average of the weights.
#pragma once

#include <span>

namespace lockstep {

/// average += share * (weights - average): with share = 1 - decay, what torch.optim.swa_utils calls EMA. Weights that
/// stand still are their own average to the bit. Shapes: both [n].
void move_average(std::span<const float> weights, float share, std::span<float> average);

}  // namespace lockstep
