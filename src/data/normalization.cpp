// Fitting a normalisation to columns, and gathering rows as normalised floats.
#include "data/normalization.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "core/range.hpp"
#include "core/vector_clones.hpp"
#include "data/column_statistics.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kStripColumns = 512;
constexpr std::size_t kRowsAhead = 2;  // 31 to 19 us for 64 rows of 784 floats

template <class T>
std::span<const T> placed_row(const Table& table, std::size_t row) {
  return {reinterpret_cast<const T*>(table.bytes.data()) + table.place(row), table.columns};
}

// A strip of columns. Shapes: all [columns of the strip].
template <class T>
LOCKSTEP_VECTOR_CLONES void scale_strip(std::span<const T> row, std::span<const double> shift,
                                        std::span<const double> inverse, std::span<float> out) {
  const T* from = row.data();
  const double* less = shift.data();
  const double* times = inverse.data();
  float* to = out.data();
  for (std::size_t c = 0; c < out.size(); ++c) {
    to[c] = static_cast<float>((static_cast<double>(from[c]) - less[c]) * times[c]);
  }
}

template <class T>
LOCKSTEP_VECTOR_CLONES void convert_row(std::span<const T> row, std::span<float> out) {
  if constexpr (std::is_same_v<T, float>) {
    std::memcpy(out.data(), row.data(), row.size_bytes());
  } else {
    const T* from = row.data();
    float* to = out.data();
    for (std::size_t c = 0; c < row.size(); ++c) to[c] = static_cast<float>(from[c]);
  }
}

// Chosen rows lie far apart, where a processor does not look ahead by itself.
template <class T>
void fetch_row(std::span<const T> row) {
  for (std::size_t at = 0; at < row.size_bytes(); at += 64) __builtin_prefetch(std::as_bytes(row).data() + at);
}

void check_rows(const Table& table, std::span<const std::uint32_t> rows) {
  if (table.bytes.size() != table.base().size_bytes())
    throw Error(ErrorKind::usage, "gather: a table whose rows are not held");
  for (const std::uint32_t row : rows) {
    if (row >= table.rows) {
      throw Error(ErrorKind::usage,
                  "gather: row " + std::to_string(row) + " of a table of " + std::to_string(table.rows) + " rows");
    }
  }
}

}  // namespace

NormalizeMethod parse_normalize(std::string_view name) {
  if (name == "none") return NormalizeMethod::none;
  if (name == "standard") return NormalizeMethod::standard;
  if (name == "minmax") return NormalizeMethod::minmax;
  throw Error(ErrorKind::config,
              "data.normalize is '" + std::string(name) + "'; expected one of none, standard, minmax");
}

ColumnScaling fit_scaling(NormalizeMethod method, const Table& table, RowList rows, const ValueRule& values) {
  if (method == NormalizeMethod::none) return {};
  ColumnScaling scaling{std::vector<double>(table.columns), std::vector<double>(table.columns)};
  fit_columns(method, table, {0, table.columns}, scaling.shift, scaling.scale, rows, values);
  return scaling;
}

void fit_columns(NormalizeMethod method, const Table& table, Range columns, std::span<double> shift,
                 std::span<double> scale, RowList rows, const ValueRule& values) {
  check_rows(table, rows);
  if (table.rows == 0) throw Error(ErrorKind::usage, "fit_columns: a table without rows");
  if (columns.end > table.columns || shift.size() != columns.size() || scale.size() != columns.size()) {
    throw Error(ErrorKind::usage, "fit_columns: no such columns, or another number of results");
  }
  const std::size_t samples = rows.empty() ? table.rows : rows.size();
  finish_columns(method, table.type, statistics_of(table, columns, {0, statistics_blocks(samples)}, rows, values),
                 shift, scale);
}

ColumnScaling repeated(const ColumnScaling& scaling, std::size_t times) {
  ColumnScaling all;
  for (std::size_t i = 0; i < times; ++i) {
    all.shift.insert(all.shift.end(), scaling.shift.begin(), scaling.shift.end());
    all.scale.insert(all.scale.end(), scaling.scale.begin(), scaling.scale.end());
  }
  return all;
}

void gather_rows(const Table& table, const ColumnScaling& scaling, std::span<const std::uint32_t> rows,
                 std::span<float> out) {
  const std::size_t columns = table.columns;
  if (out.size() != rows.size() * columns) throw Error(ErrorKind::usage, "gather_rows: out is not [rows, columns]");
  if (!scaling.empty() && (scaling.shift.size() != columns || scaling.scale.size() != columns)) {
    throw Error(ErrorKind::usage, "gather_rows: scaling of " + std::to_string(scaling.shift.size()) +
                                      " columns for a table of " + std::to_string(columns));
  }
  check_rows(table, rows);
  visit_element_type(table.type, [&](auto zero) {
    using T = decltype(zero);
    const auto fetch_behind = [&](std::size_t i) {
      if (i + kRowsAhead < rows.size()) fetch_row(placed_row<T>(table, rows[i + kRowsAhead]));
    };
    if (scaling.empty()) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        fetch_behind(i);
        convert_row(placed_row<T>(table, rows[i]), out.subspan(i * columns, columns));
      }
      return;
    }
    // By strips of columns, to divide once a column and not once a number.
    std::array<double, kStripColumns> inverse;
    for (std::size_t begin = 0; begin < columns; begin += kStripColumns) {
      const std::size_t size = std::min(kStripColumns, columns - begin);
      for (std::size_t c = 0; c < size; ++c) inverse[c] = 1.0 / scaling.scale[begin + c];
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (begin == 0) fetch_behind(i);
        scale_strip(placed_row<T>(table, rows[i]).subspan(begin, size), std::span(scaling.shift).subspan(begin, size),
                    std::span<const double>(inverse).first(size), out.subspan(i * columns + begin, size));
      }
    }
  });
}

void normalize_rows(const ColumnScaling& scaling, std::span<float> values) {
  if (scaling.empty()) return;
  const std::size_t columns = scaling.shift.size();
  if (values.size() % columns != 0) throw Error(ErrorKind::usage, "normalize_rows: values are not [rows, columns]");
  std::array<double, kStripColumns> inverse;
  for (std::size_t begin = 0; begin < columns; begin += kStripColumns) {
    const std::size_t size = std::min(kStripColumns, columns - begin);
    for (std::size_t c = 0; c < size; ++c) inverse[c] = 1.0 / scaling.scale[begin + c];
    for (std::size_t at = begin; at < values.size(); at += columns) {
      const std::span<float> strip = values.subspan(at, size);
      scale_strip(std::span<const float>(strip), std::span(scaling.shift).subspan(begin, size),
                  std::span<const double>(inverse).first(size), strip);
    }
  }
}

void gather_labels(const Table& table, std::span<const std::uint32_t> rows, std::span<std::int32_t> out) {
  if (out.size() != rows.size()) throw Error(ErrorKind::usage, "gather_labels: out is not [rows]");
  if (!table.is_integer()) throw Error(ErrorKind::usage, "gather_labels: the labels are not integers");
  if (table.columns == 0) throw Error(ErrorKind::usage, "gather_labels: a table without columns");
  check_rows(table, rows);
  visit_element_type(table.type, [&](auto zero) {
    using T = decltype(zero);
    for (std::size_t i = 0; i < rows.size(); ++i)
      out[i] = static_cast<std::int32_t>(placed_row<T>(table, rows[i]).front());
  });
}

}  // namespace lockstep
