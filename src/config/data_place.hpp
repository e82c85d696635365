// Where data lies: a file, or many of them by one name, and the group of an HDF5 file behind ":/".
#pragma once

#include <span>
#include <string>
#include <vector>

namespace lockstep {

struct DataPlace {
  std::string file;        ///< with the folder it was found in
  std::string group = {};  ///< "/group"; empty: none is named
  bool found = true;       ///< whether the file is there
  bool many = false;       ///< `file` is a folder or a pattern, and means files that are there (matching_files)

  /// As it is written: "FILE.h5:/group".
  [[nodiscard]] std::string text() const { return group.empty() ? file : file + ":" + group; }
};

/// Takes "FILE.h5:/group" apart. A file of the whole name comes first, for files and folders may have ":/" in their
/// names too; then the one with the shortest group. Where none is there, a folder or pattern is looked for likewise,
/// and where there is none of these either, the last ":/" counts.
/// `folders`: where relative names are looked up, one after the other; none: the working directory.
[[nodiscard]] DataPlace find_place(const std::string& text, std::span<const std::string> folders = {});

}  // namespace lockstep
