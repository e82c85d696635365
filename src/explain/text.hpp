// An explanation for a terminal of 80 columns.
#pragma once

#include <string>

#include "explain/explanation.hpp"

namespace lockstep {

/// Forward, backward, the step, and the chain of the chosen weight if there is one. Seven digits of each number.
[[nodiscard]] std::string explanation_text(const Explanation& explanation);

}  // namespace lockstep
