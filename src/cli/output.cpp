#include "cli/output.hpp"

#include <cstdio>
#include <exception>

namespace lockstep::cli {

void tell_lines(std::string_view text) {
  const std::string out = visible_lines(text);
  std::fwrite(out.data(), 1, out.size(), stdout);  // main() looks whether all of it got out
}

void tell_message(std::string_view text) noexcept {
  std::string line;
  try {
    line = "lockstep: " + visible(text) + "\n";
  } catch (const std::exception&) {
    line = "lockstep: error\n";  // short enough to need no memory
  }
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

}  // namespace lockstep::cli
