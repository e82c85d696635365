// Samples in memory, in the type they are stored in; converted and normalised when a batch is gathered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/element_type.hpp"
#include "lockstep/run_config.hpp"

namespace lockstep {

/// A table of numbers [rows, columns] in one stored type.
struct Table {
  ElementType type = ElementType::f32;
  std::size_t rows = 0;
  std::size_t columns = 0;            ///< the product of all dimensions behind the first
  std::vector<std::byte> bytes = {};  ///< row-major, machine byte order

  [[nodiscard]] bool is_integer() const noexcept { return type != ElementType::f32 && type != ElementType::f64; }
  /// Row `row` as doubles into `out` [columns].
  void row(std::size_t row, std::span<double> out) const;
};

/// x and y of one split, checked: equal lengths, at least one sample, all finite.
struct Dataset {
  std::string source;                    ///< as the run file names it, for messages
  Table x;                               ///< [n, inputs]
  Table y;                               ///< [n, 1] for labels, [n, k] for values
  std::vector<std::string> class_names;  ///< from the file, may be empty
  std::string fingerprint;               ///< XXH3-128 over types, shapes and bytes

  [[nodiscard]] std::size_t samples() const noexcept { return x.rows; }
  [[nodiscard]] std::size_t inputs() const noexcept { return x.columns; }
};

/// Reads "FILE.h5:/group" (x, y in that group) or a pair of IDX files (plain or gzip). Relative paths are looked up in
/// `folders` in order, first hit.
/// Local, no MPI. HDF5 files are opened read-only with file locking off.
/// Errors: data (missing, truncated or foreign file; missing data set; a type that is not a number; mismatched lengths;
/// no samples; a non-finite value), naming file, data set and row; io (unreadable).
[[nodiscard]] Dataset read_dataset(const DataSource& source, std::span<const std::string> folders);

/// The number of classes: `configured`, else the file's class list, else the largest label of both splits + 1.
/// Checks that y holds integers in [0, classes) in one column. `test` may be null.
/// Errors: data (not integer labels, out of range), naming file and row.
[[nodiscard]] std::size_t count_classes(const Dataset& train, const Dataset* test,
                                        std::optional<std::int64_t> configured);

}  // namespace lockstep
