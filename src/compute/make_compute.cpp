// Which backend an object of compute.hpp is of.
#include "compute/compute.hpp"

#include <fmt/format.h>

#include "compute/openblas.hpp"
#include "core/convert.hpp"
#include "lockstep/error.hpp"

namespace lockstep {

std::shared_ptr<const Compute> make_compute(const ComputeOptions& options) {
  if (options.threads < 1) {
    throw Error(ErrorKind::usage, fmt::format("compute: expected at least 1 thread, found {}", options.threads));
  }
  return make_openblas(narrow<int>(options.threads, "compute: threads"));
}

}  // namespace lockstep
