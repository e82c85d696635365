// Samples in the type they are stored in, converted and normalised when a batch is gathered: in memory, or, of a
// streamed data set, in their file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/column_names.hpp"
#include "core/element_type.hpp"
#include "core/range.hpp"
#include "data/split.hpp"
#include "lockstep/batch.hpp"
#include "lockstep/run_config.hpp"

namespace lockstep {

class TimeWindows;

/// A table of numbers [rows, columns] in one stored type: a view, which keeps the memory it looks at.
struct Table {
  ElementType type = ElementType::f32;
  std::size_t rows = 0;
  std::size_t columns = 0;                ///< the product of all dimensions behind the first
  std::span<const std::byte> bytes = {};  ///< row-major, machine byte order; empty where the rows are in a file
  /// Whose memory it is: one rank's, or a host's (feed/load_dataset.hpp). Shared by the copies of a table, and by x
  /// and y of a data set that lie in one piece of memory.
  std::shared_ptr<const void> owner = {};
  /// Rows are windows of several rows of `bytes`, which may overlap; null: each row follows the one before.
  std::shared_ptr<const TimeWindows> windows = {};

  /// Where in the numbers row `row` begins.
  [[nodiscard]] std::size_t place(std::size_t row) const noexcept {
    return windows == nullptr ? row * columns : place_of_window(row);
  }
  /// The table that the windows are of; without windows itself.
  [[nodiscard]] Table base() const;
  /// Of all rows, held or not, as if they followed each other.
  [[nodiscard]] std::size_t size_bytes() const noexcept { return rows * columns * bytes_of(type); }
  [[nodiscard]] bool is_integer() const noexcept { return type != ElementType::f32 && type != ElementType::f64; }
  /// Row `row` as doubles into `out` [columns].
  void row(std::size_t row, std::span<double> out) const;

 private:
  [[nodiscard]] std::size_t place_of_window(std::size_t row) const noexcept;
};

/// A table over numbers in memory: `values` [rows, columns], row by row. `columns` is at least 1.
template <class T>
[[nodiscard]] Table make_table(std::size_t columns, std::vector<T> values) {
  const auto owner = std::make_shared<const std::vector<T>>(std::move(values));
  return {kElementType<T>, owner->size() / columns, columns, std::as_bytes(std::span(*owner)), owner};
}

struct OpenDataset;

/// What labels were found.
struct LabelCounts {
  std::uint64_t largest = 0;
  std::vector<std::int64_t> samples;  ///< [label] how many have it; of labels below kMostCounted
  static constexpr std::uint64_t kMostCounted = 65536;
};

/// What the samples weigh that have a target, where some may be missing: [columns of y].
struct TargetWeights {
  std::vector<double> sums;           ///< of their weights
  std::vector<std::int64_t> samples;  ///< how many of these are not 0
};

/// What the weights of samples sum up to (data/sample_weights.hpp).
struct WeightTotals {
  double positive = 0;         ///< sum of those above 0
  double negative = 0;         ///< sum of those below 0
  std::int64_t negatives = 0;  ///< how many these are
  double least = std::numeric_limits<double>::infinity();
  double largest = -std::numeric_limits<double>::infinity();
  std::vector<double> by_label = {};  ///< [labels] sums, where they were asked for
  TargetWeights targets = {};         ///< where they may be missing, of a streamed data set

  [[nodiscard]] double sum() const noexcept { return positive + negative; }
};

/// x, y and w of one split, checked: equal lengths, at least one sample, all finite but for targets that are missing.
struct Dataset {
  std::string source;                    ///< as the run file names it, for messages
  Table x;                               ///< [n, inputs]
  Table y;                               ///< [n, 1] for labels, [n, k] for values
  std::vector<std::string> class_names;  ///< from the file, may be empty
  std::string fingerprint;               ///< over types, shapes and bytes, see data/fingerprint.hpp
  /// Where the rows of a streamed data set are read, from one thread at a time: its tables hold none. Null: they are
  /// held. Shared by the copies of the data set.
  std::shared_ptr<OpenDataset> file = {};
  std::optional<LabelCounts> labels = {};  ///< of a streamed one whose y was checked for labels
  ColumnNames columns = {};                ///< from the file, may be empty
  Table w = {};                            ///< [n, 1] weights of the samples; no rows: all count the same
  /// [columns of y] how many are missing, NaN; empty: none are.
  std::vector<std::int64_t> missing = {};
  std::optional<WeightTotals> weights = {};  ///< of a streamed one that has some
  std::vector<std::string> files = {};       ///< what each of joined files is recognised by, see data/file_prints.hpp

  [[nodiscard]] std::size_t samples() const noexcept { return x.rows; }
  [[nodiscard]] std::size_t inputs() const noexcept { return x.columns; }
  [[nodiscard]] bool streamed() const noexcept { return file != nullptr; }
  [[nodiscard]] SampleExtras extras() const noexcept { return {.weights = w.rows > 0, .missing = !missing.empty()}; }
  /// That are held.
  [[nodiscard]] std::size_t bytes() const noexcept { return x.bytes.size() + y.bytes.size() + w.bytes.size(); }
};

/// Opens `source` (data/open_dataset.hpp) and reads all of it into memory of this process.
/// Local, no MPI; feed/load_dataset.hpp is the form for several ranks. Errors: those of open_dataset and check_finite;
/// data (more than the memory there is).
[[nodiscard]] Dataset read_dataset(const DataSource& source, std::span<const std::string> folders);

/// Checks that rows `rows` of `table` hold numbers that are finite as 32-bit floats: others would become infinite when
/// a batch is gathered. `name` is for messages, `first` the number of the table's first row there. Where numbers
/// `may_miss`, NaN is let pass.
/// Errors: data, naming the first such row and its column.
void check_finite(const Table& table, const std::string& name, Range rows, std::size_t first = 0,
                  bool may_miss = false);

/// What y must hold for a loss.
struct TargetRule {
  enum class Kind { values, unit_interval, from_zero, labels } kind = Kind::values;
  std::uint64_t limit = 0;  ///< labels are below it
  std::string why = {};     ///< the limit's reason
};

/// The rule of labels: they are below the number of classes `configured`, or that of the names of `train_names`, the
/// class list of data set `train_source`, where one of them is known. Errors: config.
[[nodiscard]] TargetRule label_rule(std::optional<std::int64_t> configured, const std::vector<std::string>& train_names,
                                    const std::string& train_source);

/// Checks that y of data set `source` has the type and columns that `rule` needs. Errors: data.
void check_target_type(const TargetRule& rule, const Table& y, const std::string& source);

/// Checks all rows of `y`, of which the first is row `first` of data set `source`; `counts`, unless null, takes its
/// labels. Errors: data, naming the row.
void check_targets_held(const TargetRule& rule, const Table& y, const std::string& source, std::size_t first,
                        LabelCounts* counts);

/// The number of classes: `configured`, else the file's class list, else the largest label of both splits + 1.
/// Checks that y holds integers in [0, classes) in one column; that of a streamed data set was checked before. `test`
/// may be null.
/// Errors: data (not integer labels, out of range), naming file and row.
[[nodiscard]] std::size_t count_classes(const Dataset& train, const Dataset* test,
                                        std::optional<std::int64_t> configured);

/// How many labels there are of each class in `rows` of `data`: [classes]. y must have passed count_classes with as
/// many.
[[nodiscard]] std::vector<std::int64_t> count_labels(const Dataset& data, std::size_t classes, RowList rows = {});

}  // namespace lockstep
