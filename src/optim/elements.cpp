// Checks that every optimizer needs; see elements.hpp.
#include "optim/elements.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "lockstep/error.hpp"

namespace lockstep {

std::array<double, 2> betas_of(const Options& options) {
  const std::vector<double> betas = options.numbers("betas");
  const auto fits = [](double beta) { return beta >= 0 && beta < 1; };
  if (betas.size() == 2 && fits(betas[0]) && fits(betas[1])) return {betas[0], betas[1]};
  throw Error(ErrorKind::config, fmt::format("{}.betas: expected two numbers from 0 to below 1, found [{}]",
                                             options.where(), fmt::join(betas, ", ")));
}

void check_update(std::span<const float> weights, const PairSum& gradient, std::span<const std::span<float>> slots,
                  std::size_t num_slots) {
  if (slots.size() != num_slots) {
    throw Error(ErrorKind::usage, fmt::format("update: expected {} slots, found {}", num_slots, slots.size()));
  }
  if (gradient.size() != weights.size()) {
    throw Error(ErrorKind::usage, fmt::format("update: expected a gradient of {} elements like the weights, found {}",
                                              weights.size(), gradient.size()));
  }
  for (const auto slot : slots) {
    if (slot.size() != weights.size()) {
      throw Error(ErrorKind::usage, fmt::format("update: expected slots of {} elements like the weights, found {}",
                                                weights.size(), slot.size()));
    }
  }
}

}  // namespace lockstep
