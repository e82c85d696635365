// What an HDF5 file holds for a run, in numbers for people: shapes, ranges, classes, and how it lies on disk.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/hdf5.hpp"

namespace lockstep {

/// Over the finite numbers of a column, or of a whole table; without any of them, all are NaN.
struct RangeOfNumbers {
  double least = 0;
  double largest = 0;
  double mean = 0;
  std::size_t not_finite = 0;
};

/// A data set x, y or w.
struct TableDescription {
  std::string path = {};
  h5::DatasetInfo info = {};
  h5::DatasetStorage storage = {};
  std::vector<std::string> names = {};  ///< of the columns, where the file tells them
  /// The next three only where there are numbers.
  std::vector<RangeOfNumbers> columns = {};
  RangeOfNumbers all = {};
  std::string first_not_finite = {};  ///< "row 17, column 4 (counted from 0)"; empty: all are finite
  /// How many rows have label 0, 1, ...; empty: not one integer a row from 0 to 65535.
  std::vector<std::size_t> labels = {};
  std::vector<std::string> classes = {};  ///< names of the labels, where the file tells them
  std::vector<std::string> advice = {};   ///< sentences
};

/// Data sets x, y and w of the root and of every group in it. Reads all numbers, a few MiB at a time.
/// Errors: data (none there; damaged), io.
[[nodiscard]] std::vector<TableDescription> describe_data(const std::string& path);

/// Many files that are read as one.
struct FilesDescription {
  std::vector<std::pair<std::string, std::size_t>> files = {};  ///< each, in order, and its rows; empty: it is only one
  std::vector<TableDescription> tables = {};
};

/// The same of the files that a pattern or folder means, as one: "runs/*.h5:/train", or without a group of all groups
/// that the first file has. Errors: data, io, as of open_dataset.
[[nodiscard]] FilesDescription describe_files(const std::string& place);

/// What to change about chunks so that blocks of rows are read fast; empty: nothing.
[[nodiscard]] std::vector<std::string> chunk_advice(const std::string& path, const h5::DatasetInfo& info,
                                                    const h5::DatasetStorage& storage);

}  // namespace lockstep
