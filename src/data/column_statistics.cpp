#include "data/column_statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/tree.hpp"

namespace lockstep {
namespace {

template <class T>
std::span<const T> row_of(const Table& table, std::size_t row) {
  return {reinterpret_cast<const T*>(table.bytes.data()) + row * table.columns, table.columns};
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
  result_ = {0, std::vector<double>(columns), std::vector<double>(columns), std::vector<double>(columns, infinity),
             std::vector<double>(columns, -infinity)};
}

void BlockStatistics::add_sums(const Table& table, std::size_t first, Range rows, RowList list) {
  result_.count += static_cast<double>(rows.size());
  visit_element_type(table.type, [&](auto zero) { add_sums_of<decltype(zero)>(table, first, rows, list, result_); });
}

void BlockStatistics::finish_sums() {
  for (double& mean : result_.mean) mean /= result_.count;
}

void BlockStatistics::add_squares(const Table& table, std::size_t first, Range rows, RowList list) {
  visit_element_type(table.type, [&](auto zero) { add_squares_of<decltype(zero)>(table, first, rows, list, result_); });
}

void merge(ColumnStatistics& left, const ColumnStatistics& right) {
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

ColumnStatistics statistics_of(const Table& table, Range columns, Range blocks, RowList list) {
  if (blocks.size() == 1) {
    const Range rows = statistics_rows(blocks.begin, list.empty() ? table.rows : list.size());
    BlockStatistics block(columns.size());
    block.add_sums(table, columns.begin, rows, list);
    block.finish_sums();
    block.add_squares(table, columns.begin, rows, list);
    return std::move(block).take();
  }
  const std::size_t mid = tree_split(blocks);
  ColumnStatistics node = statistics_of(table, columns, {blocks.begin, mid}, list);
  merge(node, statistics_of(table, columns, {mid, blocks.end}, list));
  return node;
}

bool is_constant(NormalizeMethod method, ElementType type, const ColumnStatistics& all, std::size_t c) {
  const double span = all.largest[c] - all.smallest[c];
  if (span == 0) return true;
  const double size = std::max(std::abs(all.smallest[c]), std::abs(all.largest[c]));
  if (type == ElementType::f32) return span <= 2 * std::numeric_limits<float>::epsilon() * size;
  if (type != ElementType::f64) return false;
  const double rounding =
      std::min(all.count, static_cast<double>(kStatisticsRows)) * std::numeric_limits<double>::epsilon();
  if (method == NormalizeMethod::minmax) return span <= rounding * size;
  const double variance = all.m2[c] / all.count;
  const double of_mean = rounding * all.mean[c];
  return variance <= rounding * variance + of_mean * of_mean;
}

void finish_columns(NormalizeMethod method, ElementType type, const ColumnStatistics& all, std::span<double> shift,
                    std::span<double> scale) {
  for (std::size_t c = 0; c < shift.size(); ++c) {
    const double span = all.largest[c] - all.smallest[c];
    const bool minmax = method == NormalizeMethod::minmax;
    // A mean of equal numbers may round to a neighbour; a constant column becomes exactly 0.
    shift[c] = minmax || span == 0 ? all.smallest[c] : all.mean[c];
    const double spread = minmax ? span : std::sqrt(all.m2[c] / all.count);
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
