// Where files and folders lie: symbolic links followed, what is no file refused.
#pragma once

#include <filesystem>
#include <string>

namespace lockstep {

/// Where `path` points: itself, or what the symbolic links that stand there lead to, whether or not that is there.
/// Errors: io (a circle of links).
[[nodiscard]] std::filesystem::path follow_links(const std::filesystem::path& path);

/// Makes `folder` and those above it where they are missing, also where links point. Errors: io.
void make_folders(const std::filesystem::path& folder);

/// What stands at `path`, links followed, in words: "a folder", "a pipe"; empty: a file, or nothing.
[[nodiscard]] std::string other_than_file(const std::filesystem::path& path);

/// Removes the file that `path` is or links to; the link stays. What cannot be removed stays.
void remove_linked_file(const std::filesystem::path& path) noexcept;

}  // namespace lockstep
