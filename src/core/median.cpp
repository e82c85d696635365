#include "core/median.hpp"

#include <algorithm>

namespace lockstep {

double median(std::span<const double> values) {
  if (values.empty()) return 0;
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

std::vector<std::size_t> far_below_median(std::span<const double> values, double share) {
  const double limit = (1 - share) * median(values);
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] < limit) found.push_back(i);
  }
  return found;
}

}  // namespace lockstep
