// The version of the library and of the program.
#pragma once

#include <string_view>

namespace lockstep {

/// Kept equal to the version in CMakeLists.txt by a test.
inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace lockstep
