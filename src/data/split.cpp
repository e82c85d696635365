#include "data/split.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/number_text.hpp"
#include "core/random.hpp"
#include "lockstep/error.hpp"

namespace lockstep {

// A share is meant as its decimals say: 0.29 of 100 rows are 29, though the product in double is a little less.
std::size_t share_of(double share, std::size_t rows) {
  if (!(share >= 0 && share < 1)) {
    throw Error(ErrorKind::config, "data.validation: expected a share from 0 to below 1, found " + number_text(share));
  }
  const double product = share * static_cast<double>(rows);
  const double nearest = std::round(product);
  return static_cast<std::size_t>(std::abs(product - nearest) <= 1e-12 * product ? nearest : std::floor(product));
}

Split split_rows(double share, std::uint64_t seed, std::size_t rows) {
  if (share == 0) return {};
  const std::size_t held_out = share_of(share, rows);
  if (held_out == 0 || held_out >= rows) {
    throw Error(ErrorKind::config,
                "data.validation: " + number_text(share) + " of " + std::to_string(rows) + " training samples leaves " +
                    (held_out == 0 ? "none to validate with; take a larger" : "none to train on; take a smaller") +
                    " share");
  }
  std::vector<std::uint32_t> order(rows);
  fill_permutation({seed, RandomPurpose::validation, 0, 0, 0}, order);
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(held_out);
  Split split{{middle, order.end()}, {order.begin(), middle}};
  std::ranges::sort(split.train);
  std::ranges::sort(split.validation);
  return split;
}

}  // namespace lockstep
