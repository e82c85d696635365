// lockstep inspect of a data file.
#pragma once

#include <string>

namespace lockstep::cli {

/// Prints what data file `path` holds; returns the exit code. Errors: data, io.
[[nodiscard]] int inspect_data(const std::string& path, bool json_wanted);

/// The same of the files that a pattern or folder means, as one. Errors: data, io.
[[nodiscard]] int inspect_files(const std::string& place, bool json_wanted);

}  // namespace lockstep::cli
