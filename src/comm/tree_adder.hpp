// Adds partial sums in the order of a tree, a block at a time, so that everything stays in cache.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/buffer.hpp"
#include "core/function_ref.hpp"
#include "core/parameters.hpp"
#include "core/sums.hpp"
#include "core/tree.hpp"

namespace lockstep {

class TreeAdder {
 public:
  /// For programs of at most this depth.
  explicit TreeAdder(std::size_t depth) : scratch_(depth * kBlockElements), stack_(depth) {}

  /// The elements asked for of a node's partial sum.
  using Part = FunctionRef<std::span<const float>(std::size_t node)>;

  /// The sum that `program` makes of `size` elements of its nodes, at most kBlockElements; the last addition is left to
  /// its reader. `right_is_near`: whether the right one of the two is more likely in this core's cache. Valid until the
  /// next call.
  [[nodiscard]] PairSum add_up(const TreeProgram& program, std::size_t size, Part part, bool right_is_near = false);

 private:
  Buffer<float> scratch_;                      // [depth][block]
  std::vector<std::span<const float>> stack_;  // [depth]
};

}  // namespace lockstep
