// Statistics of columns in fixed blocks and a fixed tree, and gathering rows as normalised floats.
#include "data/normalization.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "core/range.hpp"
#include "core/tree.hpp"
#include "core/vector_clones.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kBlockRows = 1024;  // part of the definition: another size gives other bits
constexpr std::size_t kStripColumns = 512;
constexpr std::size_t kRowsAhead = 2;  // 31 to 19 us for 64 rows of 784 floats

template <class T>
std::span<const T> row_of(const Table& table, std::size_t row) {
  return {reinterpret_cast<const T*>(table.bytes.data()) + row * table.columns, table.columns};
}

/// Per column of some columns, over some rows.
struct Statistics {
  double count = 0;
  std::vector<double> mean;
  std::vector<double> m2;  // sum of (value - mean)^2
  std::vector<double> smallest;
  std::vector<double> largest;
};

/// What statistics are taken over: `rows` of some columns.
struct Sample {
  const Table& table;
  Range columns;
  RowList rows;
  [[nodiscard]] std::size_t num_rows() const noexcept { return rows.empty() ? table.rows : rows.size(); }
};

template <class T>
Statistics of_block(const Sample& sample, Range rows) {
  const Range chosen = sample.columns;
  const std::size_t columns = chosen.size();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Statistics block{static_cast<double>(rows.size()), std::vector<double>(columns), std::vector<double>(columns),
                   std::vector<double>(columns, infinity), std::vector<double>(columns, -infinity)};
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    const std::span<const T> row = row_of<T>(sample.table, row_at(sample.rows, r)).subspan(chosen.begin, columns);
    for (std::size_t c = 0; c < columns; ++c) {
      const auto value = static_cast<double>(row[c]);
      block.mean[c] += value;
      block.smallest[c] = std::min(block.smallest[c], value);
      block.largest[c] = std::max(block.largest[c], value);
    }
  }
  for (double& mean : block.mean) mean /= block.count;
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    const std::span<const T> row = row_of<T>(sample.table, row_at(sample.rows, r)).subspan(chosen.begin, columns);
    for (std::size_t c = 0; c < columns; ++c) {
      const double difference = static_cast<double>(row[c]) - block.mean[c];
      block.m2[c] += difference * difference;
    }
  }
  return block;
}

/// Chan, Golub and LeVeque (1979), "Updating formulae and a pairwise algorithm for computing sample variances".
void merge(Statistics& left, const Statistics& right) {
  const double count = left.count + right.count;
  for (std::size_t c = 0; c < left.mean.size(); ++c) {
    const double delta = right.mean[c] - left.mean[c];
    left.mean[c] += delta * (right.count / count);
    left.m2[c] += right.m2[c] + delta * delta * (left.count * right.count / count);
    left.smallest[c] = std::min(left.smallest[c], right.smallest[c]);
    left.largest[c] = std::max(left.largest[c], right.largest[c]);
  }
  left.count = count;
}

/// Statistics of a node of the tree over blocks.
template <class T>
Statistics of_blocks(const Sample& sample, Range blocks) {
  if (blocks.size() == 1) {
    return of_block<T>(sample, {blocks.begin * kBlockRows, std::min(blocks.end * kBlockRows, sample.num_rows())});
  }
  const std::size_t mid = tree_split(blocks);
  Statistics node = of_blocks<T>(sample, {blocks.begin, mid});
  merge(node, of_blocks<T>(sample, {mid, blocks.end}));
  return node;
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

ColumnScaling fit_scaling(NormalizeMethod method, const Table& table, RowList rows) {
  if (method == NormalizeMethod::none) return {};
  ColumnScaling scaling{std::vector<double>(table.columns), std::vector<double>(table.columns)};
  fit_columns(method, table, {0, table.columns}, scaling.shift, scaling.scale, rows);
  return scaling;
}

void fit_columns(NormalizeMethod method, const Table& table, Range columns, std::span<double> shift,
                 std::span<double> scale, RowList rows) {
  check_rows(table, rows);
  if (table.rows == 0) throw Error(ErrorKind::usage, "fit_columns: a table without rows");
  if (columns.end > table.columns || shift.size() != columns.size() || scale.size() != columns.size()) {
    throw Error(ErrorKind::usage, "fit_columns: no such columns, or another number of results");
  }
  const Sample sample{table, columns, rows};
  const std::size_t blocks = (sample.num_rows() + kBlockRows - 1) / kBlockRows;
  const Statistics all = visit_element_type(table.type, [&](auto zero) {
    return of_blocks<decltype(zero)>(sample, {0, blocks});
  });
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const double span = all.largest[c] - all.smallest[c];
    const bool minmax = method == NormalizeMethod::minmax;
    // A mean of equal numbers may round to a neighbour; a constant column becomes exactly 0.
    shift[c] = minmax || span == 0 ? all.smallest[c] : all.mean[c];
    const double spread = minmax ? span : std::sqrt(all.m2[c] / all.count);
    // Below that a spread is that of a constant column: dividing by it would leave the range of double.
    scale[c] = span == 0 || spread < std::numeric_limits<double>::min() ? 1 : spread;
  }
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
      if (i + kRowsAhead < rows.size()) fetch_row(row_of<T>(table, rows[i + kRowsAhead]));
    };
    if (scaling.empty()) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        fetch_behind(i);
        convert_row(row_of<T>(table, rows[i]), out.subspan(i * columns, columns));
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
        scale_strip(row_of<T>(table, rows[i]).subspan(begin, size), std::span(scaling.shift).subspan(begin, size),
                    std::span<const double>(inverse).first(size), out.subspan(i * columns + begin, size));
      }
    }
  });
}

void gather_labels(const Table& table, std::span<const std::uint32_t> rows, std::span<std::int32_t> out) {
  if (out.size() != rows.size()) throw Error(ErrorKind::usage, "gather_labels: out is not [rows]");
  if (!table.is_integer()) throw Error(ErrorKind::usage, "gather_labels: the labels are not integers");
  if (table.columns == 0) throw Error(ErrorKind::usage, "gather_labels: a table without columns");
  check_rows(table, rows);
  visit_element_type(table.type, [&](auto zero) {
    using T = decltype(zero);
    for (std::size_t i = 0; i < rows.size(); ++i) out[i] = static_cast<std::int32_t>(row_of<T>(table, rows[i]).front());
  });
}

}  // namespace lockstep
