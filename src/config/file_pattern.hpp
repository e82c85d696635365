// Names that mean many files: patterns, as shells have them, and folders.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// True where `name` has one of the signs * ? [ that make a pattern of it.
[[nodiscard]] bool is_pattern(std::string_view name) noexcept;

/// Whether one part of a path, a name without /, is as `pattern` says: * any characters, ? one of them, [a-z0] one of
/// these, [!a-z] none of these. Bytes are compared, whatever the language of the system. Names that begin with a point
/// are meant by patterns alone that do.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view name);

/// The files that `path` means, ascending by the bytes of their paths: those of that pattern, in which a part ** stands
/// for any number of folders; or of a folder those that end in .h5, .hdf5 or .nc. A part of a path that is there by
/// that very name is no pattern. Nothing there: empty.
[[nodiscard]] std::vector<std::string> matching_files(const std::string& path);

}  // namespace lockstep
