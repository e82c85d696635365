#include "explain/network_chain.hpp"

#include <fmt/format.h>

namespace lockstep {
namespace {

void mark_path(const ChainPath& path, ChainMarks& marks) {
  for (const ChainFactor& factor : path.factors) {
    if (factor.what == "dz/dw") continue;  // told by picked and source
    const std::string key = unit_key(factor.stage, factor.unit);
    if (factor.what == "dz/da") {
      marks.edges.insert(edge_key(factor.stage, factor.unit, factor.input));
      marks.units.insert(unit_key(factor.stage - 1, *factor.input));
      continue;
    }
    marks.units.insert(key);
    if (factor.what == "dC/da") marks.edges.insert(cost_key(factor.unit));
    if (factor.what == "dC/dz") marks.errors.insert(key);
    if (factor.what == "da/dz") marks.slopes.insert(key);
  }
}

}  // namespace

std::string edge_key(std::size_t stage, std::size_t unit, std::optional<std::size_t> input) {
  return input ? fmt::format("{}:{},{}", stage, unit, *input) : fmt::format("{}:{}", stage, unit);
}

std::string unit_key(std::size_t stage, std::size_t unit) {
  return fmt::format("{}:{}", stage, unit);
}

std::string source_key(std::size_t stage, std::size_t input) {
  return stage == 0 ? fmt::format("x:{}", input) : unit_key(stage - 1, input);
}

std::string cost_key(std::size_t unit) {
  return fmt::format("cost:{}", unit);
}

ChainMarks chain_marks(const Explanation& explanation) {
  ChainMarks marks;
  if (!explanation.chain) return marks;
  const Chain& chain = *explanation.chain;
  const ExplainedWeight& weight = chain.weight;
  for (const ChainPath& path : chain.paths) {
    mark_path(path, marks);
    if (path.factors.front().what == "dC/da") marks.units.insert("cost");
  }
  marks.picked = edge_key(chain.stage, weight.unit, weight.input);
  marks.source = weight.input ? source_key(chain.stage, *weight.input) : unit_key(chain.stage, weight.unit);
  marks.units.insert(marks.source);
  return marks;
}

}  // namespace lockstep
