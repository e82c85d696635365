#include "data/column_statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/tree.hpp"
#include "data/sample_weights.hpp"

namespace lockstep {
namespace {

template <class T>
std::span<const T> row_of(const Table& table, std::size_t row) {
  return {reinterpret_cast<const T*>(table.bytes.data()) + row * table.columns, table.columns};
}

// Calls `use(column, value, size of its weight)` for all values that are there and count.
template <class T, class Use>
void for_each_value(const Table& table, std::size_t first, std::size_t columns, Range rows, RowList list,
                    const ValueRule& values, Use use) {
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    const std::size_t at = row_at(list, r);
    float weight = 1;
    if (values.weights != nullptr) read_weights(*values.weights, {at, at + 1}, std::span(&weight, 1));
    if (weight == 0) continue;
    const std::span<const T> row = row_of<T>(table, at).subspan(first, columns);
    for (std::size_t c = 0; c < columns; ++c) {
      const auto value = static_cast<double>(row[c]);
      if (!std::isnan(value)) use(c, value, std::abs(static_cast<double>(weight)));
    }
  }
}

template <class T>
void add_sums_of(const Table& table, std::size_t first, Range rows, RowList list, ColumnStatistics& block) {
  const std::size_t columns = block.mean.size();
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    const std::span<const T> row = row_of<T>(table, row_at(list, r)).subspan(first, columns);
    for (std::size_t c = 0; c < columns; ++c) {
      const auto value = static_cast<double>(row[c]);
      block.mean[c] += value;
      block.smallest[c] = std::min(block.smallest[c], value);
      block.largest[c] = std::max(block.largest[c], value);
    }
  }
}

template <class T>
void add_squares_of(const Table& table, std::size_t first, Range rows, RowList list, ColumnStatistics& block) {
  const std::size_t columns = block.mean.size();
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    const std::span<const T> row = row_of<T>(table, row_at(list, r)).subspan(first, columns);
    for (std::size_t c = 0; c < columns; ++c) {
      const double difference = static_cast<double>(row[c]) - block.mean[c];
      block.m2[c] += difference * difference;
    }
  }
}

}  // namespace

BlockStatistics::BlockStatistics(std::size_t columns) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  result_ = {std::vector<double>(columns),           std::vector<double>(columns),
             std::vector<double>(columns),           std::vector<double>(columns),
             std::vector<double>(columns, infinity), std::vector<double>(columns, -infinity)};
}

void BlockStatistics::add_sums(const Table& table, std::size_t first, Range rows, RowList list,
                               const ValueRule& values) {
  const std::size_t columns = result_.mean.size();
  visit_element_type(table.type, [&](auto zero) {
    using T = decltype(zero);
    if (!values.plain()) {
      for_each_value<T>(table, first, columns, rows, list, values, [&](std::size_t c, double value, double weight) {
        ++result_.count[c];
        result_.weight[c] += weight;
        result_.mean[c] += weight * value;
        result_.smallest[c] = std::min(result_.smallest[c], value);
        result_.largest[c] = std::max(result_.largest[c], value);
      });
      return;
    }
    add_sums_of<T>(table, first, rows, list, result_);
    for (std::size_t c = 0; c < columns; ++c) {
      result_.count[c] += static_cast<double>(rows.size());
      result_.weight[c] = result_.count[c];
    }
  });
}

void BlockStatistics::finish_sums() {
  for (std::size_t c = 0; c < result_.mean.size(); ++c) {
    if (result_.weight[c] > 0) result_.mean[c] /= result_.weight[c];
  }
}

void BlockStatistics::add_squares(const Table& table, std::size_t first, Range rows, RowList list,
                                  const ValueRule& values) {
  visit_element_type(table.type, [&](auto zero) {
    using T = decltype(zero);
    if (values.plain()) return add_squares_of<T>(table, first, rows, list, result_);
    for_each_value<T>(table, first, result_.mean.size(), rows, list, values,
                      [&](std::size_t c, double value, double weight) {
                        const double difference = value - result_.mean[c];
                        result_.m2[c] += weight * (difference * difference);
                      });
  });
}

void merge(ColumnStatistics& left, const ColumnStatistics& right) {
  for (std::size_t c = 0; c < left.mean.size(); ++c) {
    const double weight = left.weight[c] + right.weight[c];
    if (weight > 0) {
      const double delta = right.mean[c] - left.mean[c];
      left.mean[c] += delta * (right.weight[c] / weight);
      left.m2[c] += right.m2[c] + delta * delta * (left.weight[c] * right.weight[c] / weight);
    }
    left.smallest[c] = std::min(left.smallest[c], right.smallest[c]);
    left.largest[c] = std::max(left.largest[c], right.largest[c]);
    left.count[c] += right.count[c];
    left.weight[c] = weight;
  }
}

ColumnStatistics merge_nodes(Range root, std::span<const Range> nodes, const std::function<ColumnStatistics()>& next) {
  const TreeProgram program(root, nodes);
  std::vector<ColumnStatistics> stack;
  for (const std::size_t step : program.steps()) {
    if (step != TreeProgram::kAdd) {
      stack.push_back(next());
      continue;
    }
    const ColumnStatistics right = std::move(stack.back());
    stack.pop_back();
    merge(stack.back(), right);
  }
  return std::move(stack.back());
}

ColumnStatistics statistics_of(const Table& table, Range columns, Range blocks, RowList list, const ValueRule& values) {
  if (blocks.size() == 1) {
    const Range rows = statistics_rows(blocks.begin, list.empty() ? table.rows : list.size());
    BlockStatistics block(columns.size());
    block.add_sums(table, columns.begin, rows, list, values);
    block.finish_sums();
    block.add_squares(table, columns.begin, rows, list, values);
    return std::move(block).take();
  }
  const std::size_t mid = tree_split(blocks);
  ColumnStatistics node = statistics_of(table, columns, {blocks.begin, mid}, list, values);
  merge(node, statistics_of(table, columns, {mid, blocks.end}, list, values));
  return node;
}

bool is_constant(NormalizeMethod method, ElementType type, const ColumnStatistics& all, std::size_t c) {
  const double span = all.largest[c] - all.smallest[c];
  if (!(span > 0)) return true;  // below 0: there is no value
  const double size = std::max(std::abs(all.smallest[c]), std::abs(all.largest[c]));
  if (type == ElementType::f32 && span <= 2 * std::numeric_limits<float>::epsilon() * size) return true;
  const double rounding =
      std::min(all.count[c], static_cast<double>(kStatisticsRows)) * std::numeric_limits<double>::epsilon();
  const bool minmax = method == NormalizeMethod::minmax;
  if (type == ElementType::f64 && minmax) return span <= rounding * size;
  // Numbers that differ may do so where next to no weight is; without weights only doubles come that close.
  const bool weighted = all.weight[c] != all.count[c];
  if (minmax || (type != ElementType::f64 && !weighted)) return false;
  const double variance = all.m2[c] / all.weight[c];
  const double of_mean = rounding * all.mean[c];
  return variance <= rounding * variance + of_mean * of_mean;
}

void finish_columns(NormalizeMethod method, ElementType type, const ColumnStatistics& all, std::span<double> shift,
                    std::span<double> scale) {
  for (std::size_t c = 0; c < shift.size(); ++c) {
    if (!(all.weight[c] > 0)) {  // nothing that counts
      shift[c] = 0;
      scale[c] = 1;
      continue;
    }
    const double span = all.largest[c] - all.smallest[c];
    const bool minmax = method == NormalizeMethod::minmax;
    // A mean of equal numbers may round to a neighbour; a constant column becomes exactly 0.
    shift[c] = minmax || span == 0 ? all.smallest[c] : all.mean[c];
    const double spread = minmax ? span : std::sqrt(all.m2[c] / all.weight[c]);
    if (span == 0 || spread < std::numeric_limits<double>::min()) {
      scale[c] = 1;  // dividing by less would leave the range of double
    } else if (is_constant(method, type, all, c)) {
      // What it varies by stays as small beside 1 as it is beside the numbers.
      scale[c] = std::max({1.0, std::abs(all.smallest[c]), std::abs(all.largest[c])});
    } else {
      scale[c] = spread;
    }
  }
}

}  // namespace lockstep
