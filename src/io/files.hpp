// Whole files as bytes, and writing that is all or nothing.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

/// All bytes of a regular file. Errors: data (missing, not a regular file), io.
[[nodiscard]] std::vector<std::byte> read_file(const std::filesystem::path& path);

/// Tells files of one host apart: equal for one file that nobody has changed in between.
/// Errors: io (missing, or its folder may not be entered).
[[nodiscard]] std::string file_identity(const std::filesystem::path& path);

/// Writes `parts` one behind the other to a temporary file beside `path`, syncs, renames over `path`, syncs the folder.
/// After an error `path` is what it was before and the temporary file is gone; only when the sync of the folder itself
/// fails is `path` new and complete, and perhaps lost by a power cut.
/// Errors: io, with the system's reason.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::span<const std::byte>> parts);

}  // namespace lockstep
