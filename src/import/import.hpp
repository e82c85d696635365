// Tables of other formats made into an HDF5 file that runs read: data/README.md is its schema.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "import/csv_table.hpp"
#include "import/row_source.hpp"

namespace lockstep {

struct ImportOptions {
  std::vector<std::string> files = {};  ///< a CSV table; or two, samples and labels: IDX or .npy
  std::vector<std::string> test = {};   ///< as many, for the test group; or none
  std::string output = {};
  bool dry_run = false;  ///< all is read and told, nothing is made; `output` may be empty
  bool overwrite = false;
  std::optional<double> split = {};  ///< above 0, below 1: the share of rows that train; else all of `files`
  std::uint64_t seed = 1;            ///< of the split
  CsvOptions csv = {};
  /// Called now and then; done and total are bytes of CSV, or rows written. May throw: then nothing is left.
  std::function<void(const char* what, std::size_t done, std::size_t total)> progress = {};
};

struct ImportResult {
  RowFormat format = {};
  std::size_t train = 0;  ///< rows
  std::size_t test = 0;
  std::size_t dropped = 0;                      ///< rows with missing fields
  bool looks_like_classes = false;              ///< see ImportedTable
  std::vector<std::string> counting = {};       ///< see ImportedTable
  Recipe recipe = {};                           ///< of a table; without columns: of a pair
  std::vector<ColumnSeen> seen = {};            ///< [columns of the recipe]
  std::vector<std::string> dropped_for = {};    ///< likewise: why --drop auto has left it out, or empty
  std::vector<std::size_t> class_samples = {};  ///< [classes], in all rows that were read
};

/// Reads all, and writes `output` all or nothing. Memory is bounded whatever the size of the files; on the disk of
/// `output` it takes, for a while, up to twice the space of what it makes.
/// Errors: config (options that do not fit the files), data (with file, line and column), io.
[[nodiscard]] ImportResult import_data(const ImportOptions& options);

}  // namespace lockstep
