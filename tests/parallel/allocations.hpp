// Counts this process's allocations through operator new.
#pragma once

#include <cstddef>

namespace lockstep::test {

/// Allocations so far.
[[nodiscard]] std::size_t allocations();

}  // namespace lockstep::test
