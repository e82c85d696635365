// Normalisation fitted on the training data and kept with the model.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "data/dataset.hpp"
#include "data/split.hpp"

namespace lockstep {

/// normalised = (stored - shift) * (1 / scale), per column, in double, rounded to float at the end. Empty: nothing is
/// done.
struct ColumnScaling {
  std::vector<double> shift;
  std::vector<double> scale;
  [[nodiscard]] bool empty() const noexcept { return shift.empty(); }
};

/// How the values of a table count in its statistics.
struct ValueRule {
  const Table* weights = nullptr;  ///< [rows of the table, 1], by size; null: all count the same
  bool missing = false;            ///< a NaN is a value that is not there
  [[nodiscard]] bool plain() const noexcept { return weights == nullptr && !missing; }
};

/// Of x and of y of a data set, as normalisation counts them.
[[nodiscard]] inline ValueRule values_of_x(const Dataset& data) {
  return {.weights = data.w.rows > 0 ? &data.w : nullptr};
}
[[nodiscard]] inline ValueRule values_of_y(const Dataset& data) {
  return {.weights = data.w.rows > 0 ? &data.w : nullptr, .missing = data.extras().missing};
}

struct Normalization {
  ColumnScaling x;
  ColumnScaling y;  ///< empty unless the targets of a regression are normalised
};

/// none | standard | minmax.
enum class NormalizeMethod { none, standard, minmax };
[[nodiscard]] NormalizeMethod parse_normalize(std::string_view name);  ///< Errors: config, listing the known ones

/// standard: mean and population standard deviation; minmax: smallest value and span. A constant column gets scale 1,
/// one that varies by rounding alone (is_constant) its size, at least 1.
/// Means and deviations are taken in fixed blocks of rows and merged in the fixed tree (Chan et al., 1979), so they are
/// the same bits whoever computes them. Fitted on `rows` alone; mean and deviation are weighted where `values` says so.
[[nodiscard]] ColumnScaling fit_scaling(NormalizeMethod method, const Table& table, RowList rows = {},
                                        const ValueRule& values = {});

/// The same for columns `columns` alone, which depend on no others, into `shift` and `scale` [columns.size()].
/// `method` is not none. Errors: usage (no rows; no such columns).
void fit_columns(NormalizeMethod method, const Table& table, Range columns, std::span<double> shift,
                 std::span<double> scale, RowList rows = {}, const ValueRule& values = {});

/// The same scaling for `times` blocks of the columns, side by side.
[[nodiscard]] ColumnScaling repeated(const ColumnScaling& scaling, std::size_t times);

/// Rows `rows` of `table` as normalised floats into `out` [rows.size(), columns].
void gather_rows(const Table& table, const ColumnScaling& scaling, std::span<const std::uint32_t> rows,
                 std::span<float> out);

/// The same bits of rows that are floats already, in place: `values` [rows, columns].
void normalize_rows(const ColumnScaling& scaling, std::span<float> values);

/// Column 0 of rows `rows` as labels into `out` [rows.size()].
void gather_labels(const Table& table, std::span<const std::uint32_t> rows, std::span<std::int32_t> out);

}  // namespace lockstep
