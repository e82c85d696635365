// Which parts of a drawn net lie on the chain of the chosen weight.
#pragma once

#include <set>
#include <string>

#include "explain/explanation.hpp"

namespace lockstep {

/// Keys as in network_svg.hpp.
struct ChainMarks {
  std::set<std::string> edges;   ///< whose weight is a factor dz/da, and from an output to the cost: dC/da
  std::set<std::string> units;   ///< that the chain goes through
  std::set<std::string> slopes;  ///< of which da/dz is a factor
  std::set<std::string> errors;  ///< of which dC/dz is the first factor
  std::string picked;            ///< the chosen weight; empty: none
  std::string source;            ///< what it weighs: the unit or input, or for a bias its unit
};

[[nodiscard]] std::string edge_key(std::size_t stage, std::size_t unit, std::optional<std::size_t> input);
[[nodiscard]] std::string unit_key(std::size_t stage, std::size_t unit);
/// A unit of stage `stage` - 1, or an input.
[[nodiscard]] std::string source_key(std::size_t stage, std::size_t input);
[[nodiscard]] std::string cost_key(std::size_t unit);

/// Empty without a chain.
[[nodiscard]] ChainMarks chain_marks(const Explanation& explanation);

}  // namespace lockstep
