// The backend "openblas". For make_compute alone: all else goes through compute.hpp.
#pragma once

#include <memory>

#include "compute/compute.hpp"

namespace lockstep {

/// `threads`: at least 1.
[[nodiscard]] std::shared_ptr<const Compute> make_openblas(int threads);

}  // namespace lockstep
