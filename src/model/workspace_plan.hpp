// Where the numbers of a pass lie in one buffer: those that are needed at different times share memory.
//
// The schedule is fixed: forward through the layers in their order, the loss, backward in reverse. A value lives from
// the layer that makes it to the last one that reads it, forward or backward; its gradient from its last reader, which
// is the first in backward, to the layer that made it. A layer that may work in place does so where nobody reads its
// input later.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace lockstep {

/// Of a net: value 0 is its input, value i + 1 what layer i gives.
struct PlannedLayer {
  std::vector<std::size_t> inputs;  ///< values
  std::size_t width = 0;            ///< floats a row of what it gives
  std::size_t saved = 0;            ///< floats a row that it leaves for backward
  bool reads_input = true;          ///< in backward
  bool reads_output = true;
  bool in_place = false;        ///< may be
  bool needs_gradient = false;  ///< whether what it gives has a gradient: then backward comes to it
};

struct PlannedNet {
  std::size_t width = 0;  ///< of its input
  std::vector<PlannedLayer> layers;
};

/// What a workspace is for.
struct WorkspaceUse {
  bool training = true;                   ///< backward too
  std::optional<std::size_t> again = {};  ///< a layer from which forward is run again over the same rows
};

struct WorkspacePlan {
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::vector<std::size_t> values;                 ///< [values] where each begins [floats]
  std::vector<std::size_t> gradients;              ///< [values]; kNone: it has none
  std::vector<std::vector<std::size_t>> summands;  ///< [layers][inputs] where a gradient is written that is added to
                                                   ///< another; kNone: it is written in its place
  std::vector<std::size_t> saved;                  ///< [layers]; kNone: it leaves nothing
  std::size_t floats = 0;                          ///< in all

  WorkspacePlan() = default;
  WorkspacePlan(const PlannedNet& net, std::size_t rows, const WorkspaceUse& use);
};

}  // namespace lockstep
