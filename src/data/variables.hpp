// Data sets by their paths, and IDX and .npy files, as x and y of samples: each for itself, or several as columns.
// Private to src/data.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/open_dataset.hpp"
#include "io/hdf5.hpp"

namespace lockstep {

/// Opens variables: "FILE.h5:/path", or the name of an IDX or .npy file. A file that has several is opened once.
class Variables {
 public:
  /// `first` and `more` as one table, column by column. `named`: `names` takes what its columns are called, by the
  /// variables: their last names, or as much of their paths as tells them apart.
  /// Errors: data, io.
  [[nodiscard]] std::unique_ptr<TableReader> open(const std::string& first, const std::vector<std::string>& more,
                                                  bool named, std::vector<std::string>& names);
  /// Names that the group of variable `text`, or the root, has in its attribute; empty where it has none, or the
  /// variable has another number of columns than `columns`, unless that is 0.
  [[nodiscard]] std::vector<std::string> names_beside(const std::string& text, const std::string& attribute,
                                                      std::size_t columns);

 private:
  [[nodiscard]] std::unique_ptr<TableReader> open_one(const std::string& text);
  [[nodiscard]] std::shared_ptr<const h5::File> file(const std::string& path);

  std::map<std::string, std::shared_ptr<const h5::File>> files_;  // shared with the readers
};

}  // namespace lockstep
