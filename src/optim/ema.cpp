#include "optim/ema.hpp"

#include "core/vector_clones.hpp"
#include "lockstep/error.hpp"

namespace lockstep {

LOCKSTEP_VECTOR_CLONES void move_average(std::span<const float> weights, float share, std::span<float> average) {
  if (weights.size() != average.size()) throw Error(ErrorKind::usage, "move_average: unlike sizes");
  const float* from = weights.data();
  float* to = average.data();
  for (std::size_t i = 0; i < average.size(); ++i) to[i] += share * (from[i] - to[i]);
}

}  // namespace lockstep
