// The fixed binary tree in which everything is added: sum(lo,hi) = sum(lo,mid) + sum(mid,hi),
// mid = lo + the largest power of two below hi - lo.
//
// The tree depends on the number of leaves alone, never on who computes them, so sums have the same bits at any rank
// count. A rank that owns a run of leaves adds what it can (the cover of its run) and the rest is added by whoever
// holds the parts. Pure index arithmetic: no MPI here.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "core/range.hpp"

namespace lockstep {

/// Where [range) is split; range.size() >= 2.
[[nodiscard]] std::size_t tree_split(Range range) noexcept;

/// The largest nodes of the tree over [0, leaves) that lie within `owned`, left to right.
[[nodiscard]] std::vector<Range> tree_cover(std::size_t leaves, Range owned);

/// Adds `values` (leaves) in tree order. 0 when empty. Does not allocate.
[[nodiscard]] double tree_sum(std::span<const double> values);

/// tree_sum of column `column` of row-major `values` [leaves, columns].
[[nodiscard]] double tree_sum_column(std::span<const double> values, std::size_t columns, std::size_t column);

/// The additions that make the root of the tree over [0, leaves) from given nodes: a program in postfix order for a
/// stack of buffers. A step pushes node `push`, or adds the two top entries (left + right) when push is kAdd.
class TreeProgram {
 public:
  static constexpr std::size_t kAdd = static_cast<std::size_t>(-1);

  /// `nodes`: disjoint nodes of the tree that cover [0, leaves), left to right.
  TreeProgram(std::size_t leaves, std::span<const Range> nodes);
  /// The same for `root`, a node of the tree, and nodes that cover it.
  TreeProgram(Range root, std::span<const Range> nodes);

  [[nodiscard]] std::span<const std::size_t> steps() const noexcept { return steps_; }
  /// The most entries that are on the stack at once.
  [[nodiscard]] std::size_t depth() const noexcept { return depth_; }

 private:
  void build(Range range, std::span<const Range> nodes, std::size_t& next);

  std::vector<std::size_t> steps_;
  std::size_t depth_ = 0;
};

}  // namespace lockstep
