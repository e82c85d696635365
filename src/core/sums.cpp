// Written so that the compiler vectorises without changing the order of any addition.
#include "core/sums.hpp"

#include <array>

#include "core/vector_clones.hpp"

namespace lockstep {

LOCKSTEP_VECTOR_CLONES double sum_squares(std::span<const float> values) {
  std::array<double, 8> lanes{};
  const std::size_t whole = values.size() / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) {
      const double value = values[i + lane];
      lanes[lane] += value * value;
    }
  }
  for (std::size_t i = whole; i < values.size(); ++i) {
    const double value = values[i];
    lanes[i - whole] += value * value;
  }
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

void add_to(std::span<float> sum, std::span<const float> part) {
  add(sum, part, sum);
}

LOCKSTEP_VECTOR_CLONES void add(std::span<const float> left, std::span<const float> right, std::span<float> sum) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = left[i] + right[i];
}

}  // namespace lockstep
