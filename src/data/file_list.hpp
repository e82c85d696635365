// What a data source means, file by file.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lockstep/run_config.hpp"

namespace lockstep {

/// As messages name it: "runs/*.h5:/train", "a.h5:/train, b.h5:/train and 4 more", "x.npy, y.npy".
[[nodiscard]] std::string source_text(const DataSource& source);

/// One source for each of the files that `source` means, none of them a list of files, a folder or a pattern: those of
/// a pattern or folder ascending by the bytes of their paths, those of a list in its order. Relative names are looked
/// up in `folders` in order, first hit; a single file need not be there.
/// Errors: data (x and y, or variables of them, that are unlike many files; a file twice, or not there).
[[nodiscard]] std::vector<DataSource> list_files(const DataSource& source, std::span<const std::string> folders);

/// Of the file, or files, of one such source: equal texts, of equal length, as long as nobody has changed them.
/// Errors: io (missing).
[[nodiscard]] std::string identity_of(const DataSource& file);

}  // namespace lockstep
