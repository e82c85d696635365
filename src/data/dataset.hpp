// Samples in memory, in the type they are stored in; converted and normalised when a batch is gathered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/element_type.hpp"
#include "core/range.hpp"
#include "data/split.hpp"
#include "lockstep/run_config.hpp"

namespace lockstep {

/// A table of numbers [rows, columns] in one stored type: a view, which keeps the memory it looks at.
struct Table {
  ElementType type = ElementType::f32;
  std::size_t rows = 0;
  std::size_t columns = 0;                ///< the product of all dimensions behind the first
  std::span<const std::byte> bytes = {};  ///< row-major, machine byte order
  /// Whose memory it is: one rank's, or a host's (train/load_dataset.hpp). Shared by the copies of a table, and by x
  /// and y of a data set that lie in one piece of memory.
  std::shared_ptr<const void> owner = {};

  [[nodiscard]] bool is_integer() const noexcept { return type != ElementType::f32 && type != ElementType::f64; }
  /// Row `row` as doubles into `out` [columns].
  void row(std::size_t row, std::span<double> out) const;
};

/// A table over numbers in memory: `values` [rows, columns], row by row. `columns` is at least 1.
template <class T>
[[nodiscard]] Table make_table(std::size_t columns, std::vector<T> values) {
  const auto owner = std::make_shared<const std::vector<T>>(std::move(values));
  return {kElementType<T>, owner->size() / columns, columns, std::as_bytes(std::span(*owner)), owner};
}

/// x and y of one split, checked: equal lengths, at least one sample, all finite.
struct Dataset {
  std::string source;                    ///< as the run file names it, for messages
  Table x;                               ///< [n, inputs]
  Table y;                               ///< [n, 1] for labels, [n, k] for values
  std::vector<std::string> class_names;  ///< from the file, may be empty
  std::string fingerprint;               ///< over types, shapes and bytes, see data/fingerprint.hpp

  [[nodiscard]] std::size_t samples() const noexcept { return x.rows; }
  [[nodiscard]] std::size_t inputs() const noexcept { return x.columns; }
  [[nodiscard]] std::size_t bytes() const noexcept { return x.bytes.size() + y.bytes.size(); }
};

/// Opens `source` (data/open_dataset.hpp) and reads all of it into memory of this process.
/// Local, no MPI; train/load_dataset.hpp is the form for several ranks. Errors: those of open_dataset and check_finite;
/// data (more than the memory there is).
[[nodiscard]] Dataset read_dataset(const DataSource& source, std::span<const std::string> folders);

/// Checks that rows `rows` of `table` hold numbers that are finite as 32-bit floats: others would become infinite when
/// a batch is gathered. `name` is for messages, `first` the number of the table's first row there.
/// Errors: data, naming the first such row and its column.
void check_finite(const Table& table, const std::string& name, Range rows, std::size_t first = 0);

/// The number of classes: `configured`, else the file's class list, else the largest label of both splits + 1.
/// Checks that y holds integers in [0, classes) in one column. `test` may be null.
/// Errors: data (not integer labels, out of range), naming file and row.
[[nodiscard]] std::size_t count_classes(const Dataset& train, const Dataset* test,
                                        std::optional<std::int64_t> configured);

/// How many labels there are of each class in `rows` of `data`: [classes]. y must have passed count_classes with as
/// many.
[[nodiscard]] std::vector<std::int64_t> count_labels(const Dataset& data, std::size_t classes, RowList rows = {});

}  // namespace lockstep
