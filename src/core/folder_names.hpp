// What a folder holds.
#pragma once

#include <string>
#include <system_error>
#include <vector>

namespace lockstep {

/// Names of the entries of `folder`, in no order; empty with `error` set where they cannot be read.
/// (std::filesystem::directory_iterator ends the process where memory runs out while it goes on.)
/// Errors: std::bad_alloc.
[[nodiscard]] std::vector<std::string> names_in(const std::string& folder, std::error_code& error);

}  // namespace lockstep
