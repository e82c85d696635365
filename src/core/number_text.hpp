// Numbers as text for people and run files.
#pragma once

#include <fmt/format.h>

#include <string>

namespace lockstep {

/// The shortest text that reads back as the same double, with a point or an exponent: "3.0", "0.001", "1e+20".
[[nodiscard]] inline std::string number_text(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";  // n: inf and nan
  return text;
}

/// "1 rank", "2 ranks".
template <class Count>
[[nodiscard]] std::string count_text(Count count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == Count{1} ? "" : "s");
}

}  // namespace lockstep
