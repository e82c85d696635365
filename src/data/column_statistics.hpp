// Mean, spread, smallest and largest of columns, the same bits whoever computes them.
//
// They are taken in fixed blocks of kStatisticsRows rows and merged in the fixed tree over blocks, so several processes
// can take a part of the blocks each, and a table need not be in memory as a whole.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "core/element_type.hpp"
#include "core/range.hpp"
#include "data/dataset.hpp"
#include "data/normalization.hpp"
#include "data/split.hpp"

namespace lockstep {

inline constexpr std::size_t kStatisticsRows = 1024;  // part of the definition: another size gives other bits

/// Blocks of a table of `rows` rows.
[[nodiscard]] constexpr std::size_t statistics_blocks(std::size_t rows) noexcept {
  return (rows + kStatisticsRows - 1) / kStatisticsRows;
}
/// Rows of a block.
[[nodiscard]] constexpr Range statistics_rows(std::size_t block, std::size_t rows) noexcept {
  const std::size_t begin = block * kStatisticsRows;
  return {begin, begin + kStatisticsRows < rows ? begin + kStatisticsRows : rows};
}

/// Per column of some columns, over some rows: over the values that are there, by the size of their weights. Those of
/// weight 0 are left out.
struct ColumnStatistics {
  std::vector<double> count;   ///< of values
  std::vector<double> weight;  ///< sum of their weights' sizes: their number, without weights
  std::vector<double> mean;
  std::vector<double> m2;  ///< sum of weight * (value - mean)^2
  std::vector<double> smallest;
  std::vector<double> largest;
};

/// Of one block, whose rows come in order, in as many tables as one likes: twice all of them, for the sums first.
class BlockStatistics {
 public:
  explicit BlockStatistics(std::size_t columns);
  /// The next rows `rows` of `table`, or of `list`, of which columns [first, first + columns) are taken. `values` of
  /// the same rows.
  void add_sums(const Table& table, std::size_t first, Range rows, RowList list = {}, const ValueRule& values = {});
  /// All sums are there.
  void finish_sums();
  void add_squares(const Table& table, std::size_t first, Range rows, RowList list = {}, const ValueRule& values = {});
  [[nodiscard]] ColumnStatistics take() && { return std::move(result_); }

 private:
  ColumnStatistics result_;
};

/// `right` is added to `left`, which comes before it (Chan, Golub and LeVeque, 1979).
void merge(ColumnStatistics& left, const ColumnStatistics& right);

/// Merges nodes of the tree over [0, blocks) in its order: the statistics of `root`, a node that `nodes` cover, left to
/// right. `next` gives those of the nodes one after the other.
[[nodiscard]] ColumnStatistics merge_nodes(Range root, std::span<const Range> nodes,
                                           const std::function<ColumnStatistics()>& next);

/// Of columns `columns` of rows that are held, all or those of `list`, over `blocks`, a node of the tree.
[[nodiscard]] ColumnStatistics statistics_of(const Table& table, Range columns, Range blocks, RowList list,
                                             const ValueRule& values = {});

/// Whether column `c` of numbers stored as `type` varies by no more than they are rounded; so does one that does not
/// vary. The bound for doubles is scikit-learn's (_is_constant_feature), with the rows that are added one after the
/// other in the place of all; floats, of which other programs make results, may be two roundings apart; integers are
/// not rounded. With weights the bound for doubles goes for the spread of all types.
[[nodiscard]] bool is_constant(NormalizeMethod method, ElementType type, const ColumnStatistics& all, std::size_t c);

/// What normalises columns of such statistics, of numbers stored as `type`, into `shift` and `scale` [columns].
/// `method` is not none.
void finish_columns(NormalizeMethod method, ElementType type, const ColumnStatistics& all, std::span<double> shift,
                    std::span<double> scale);

}  // namespace lockstep
