// The tree in which the shards' gradients are added, drawn as text: shards on the left, their sum on the right.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "step/step_record.hpp"

namespace lockstep::cli {

/// Who has what a node of the tree adds.
enum class Reach { rank, host, hosts };

struct DrawnNode {
  GradientNode node;
  Reach reach = Reach::rank;  ///< of the shards below it
};

/// `nodes` in postfix order, as add_in_tree gives them. Lines of at most 80 columns; of more than 16 shards the upper
/// four additions alone. Lines of a node are thin where a rank adds what is its own, thick where it takes that of other
/// ranks of its host, double where it comes from other hosts.
[[nodiscard]] std::string draw_shard_tree(std::span<const DrawnNode> nodes);

/// The shortest text that reads back as the same float, or fewer digits where that has more than `width` characters.
[[nodiscard]] std::string float_text(float value, std::size_t width = 16);

}  // namespace lockstep::cli
