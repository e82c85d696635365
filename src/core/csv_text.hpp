// Fields of CSV files that are written.
#pragma once

#include <string>

namespace lockstep {

/// RFC 4180: in quotes where it has to be.
[[nodiscard]] inline std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

}  // namespace lockstep
