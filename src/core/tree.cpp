// Index arithmetic of the fixed tree.
#include "core/tree.hpp"

#include <algorithm>
#include <bit>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

void cover(Range node, Range owned, std::vector<Range>& out) {
  if (node.end <= owned.begin || owned.end <= node.begin) return;
  if (owned.begin <= node.begin && node.end <= owned.end) {
    out.push_back(node);
    return;
  }
  const std::size_t mid = tree_split(node);
  cover({node.begin, mid}, owned, out);
  cover({mid, node.end}, owned, out);
}

double strided_sum(std::span<const double> values, std::size_t stride, std::size_t offset, Range range) {
  if (range.size() == 1) return values[range.begin * stride + offset];
  const std::size_t mid = tree_split(range);
  return strided_sum(values, stride, offset, {range.begin, mid}) +
         strided_sum(values, stride, offset, {mid, range.end});
}

}  // namespace

std::size_t tree_split(Range range) noexcept {
  return range.begin + std::bit_floor(range.size() - 1);
}

std::vector<Range> tree_cover(std::size_t leaves, Range owned) {
  std::vector<Range> nodes;
  if (leaves != 0 && !owned.empty()) cover({0, leaves}, owned, nodes);
  return nodes;
}

double tree_sum(std::span<const double> values) {
  return tree_sum_column(values, 1, 0);
}

double tree_sum_column(std::span<const double> values, std::size_t columns, std::size_t column) {
  if (values.empty()) return 0;
  return strided_sum(values, columns, column, {0, values.size() / columns});
}

TreeProgram::TreeProgram(std::size_t leaves, std::span<const Range> nodes) : TreeProgram(Range{0, leaves}, nodes) {}

TreeProgram::TreeProgram(Range root, std::span<const Range> nodes) {
  if (root.empty()) return;
  std::size_t next = 0;
  build(root, nodes, next);
  if (next != nodes.size()) throw Error(ErrorKind::internal, "tree program: nodes that are not of this tree");
  std::size_t height = 0;
  for (const std::size_t step : steps_) {
    height = step == kAdd ? height - 1 : height + 1;
    depth_ = std::max(depth_, height);
  }
}

void TreeProgram::build(Range range, std::span<const Range> nodes, std::size_t& next) {
  if (next < nodes.size() && nodes[next] == range) {
    steps_.push_back(next++);
    return;
  }
  if (range.size() < 2) throw Error(ErrorKind::internal, "tree program: nodes do not cover the leaves");
  const std::size_t mid = tree_split(range);
  build({range.begin, mid}, nodes, next);
  build({mid, range.end}, nodes, next);
  steps_.push_back(kAdd);
}

}  // namespace lockstep
