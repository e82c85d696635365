// An explanation as a page for a browser, which needs nothing else: drawing, numbers, style and script are in it.
#pragma once

#include <string>

#include "explain/explanation.hpp"

namespace lockstep {

/// The page: the same bytes for the same explanation. Its numbers are those of explanation_json; names stay text in it.
[[nodiscard]] std::string explanation_page(const Explanation& explanation);

}  // namespace lockstep
