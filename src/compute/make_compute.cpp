// Which backend an object of compute.hpp is of.
#include "compute/compute.hpp"

#include <fmt/format.h>

#include <limits>

#include "compute/openblas.hpp"
#include "lockstep/error.hpp"

namespace lockstep {

std::shared_ptr<const Compute> make_compute(const ComputeOptions& options) {
  constexpr int kMost = std::numeric_limits<int>::max();
  if (options.threads < 1 || options.threads > kMost) {
    throw Error(ErrorKind::config, fmt::format("train.threads: expected 1 to {}, found {}", kMost, options.threads));
  }
  return make_openblas(static_cast<int>(options.threads));
}

}  // namespace lockstep
