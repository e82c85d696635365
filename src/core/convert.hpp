// Checked integer conversions.
#pragma once

#include <limits>
#include <string>
#include <utility>

#include "lockstep/error.hpp"

namespace lockstep {

/// `value` as To. Errors: usage (out of range), naming `what`.
template <class To, class From>
[[nodiscard]] To narrow(From value, const char* what = "a size") {
  if (!std::in_range<To>(value)) {
    throw Error(ErrorKind::usage, std::string(what) + " of " + std::to_string(value) + " exceeds the limit of " +
                                      std::to_string(std::numeric_limits<To>::max()));
  }
  return static_cast<To>(value);
}

}  // namespace lockstep
