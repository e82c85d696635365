// The time of day, for people; it enters no number.
#pragma once

#include <string>

namespace lockstep {

/// "2031-05-04T12:30:59Z".
[[nodiscard]] std::string utc_now();

}  // namespace lockstep
