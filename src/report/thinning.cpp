#include "report/thinning.hpp"

#include <algorithm>
#include <cmath>

#include "core/range.hpp"

namespace lockstep {

std::vector<std::size_t> thin(std::span<const double> values, std::size_t most) {
  std::vector<std::size_t> kept;
  if (values.size() <= most) {
    for (std::size_t i = 0; i < values.size(); ++i) kept.push_back(i);
    return kept;
  }
  kept.push_back(0);
  const std::size_t between = values.size() - 2;
  const std::size_t stretches = (most - 2) / 2;
  for (std::size_t s = 0; s < stretches; ++s) {
    const Range range = part_of(between, s, stretches);
    std::size_t smallest = range.begin + 1;
    std::size_t largest = smallest;
    for (std::size_t i = smallest; i < range.end + 1; ++i) {
      if (values[i] < values[smallest] || std::isnan(values[smallest])) smallest = i;
      if (values[i] > values[largest] || std::isnan(values[largest])) largest = i;
    }
    kept.push_back(std::min(smallest, largest));
    if (smallest != largest) kept.push_back(std::max(smallest, largest));
  }
  kept.push_back(values.size() - 1);
  return kept;
}

}  // namespace lockstep
