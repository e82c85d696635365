#include "explain/network_chain.hpp"

#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

// The indices at the end of "dense2[0,3]"; the name of a layer may hold brackets too.
std::vector<std::size_t> indices_of(const std::string& where) {
  std::vector<std::size_t> indices;
  const char* at = where.data() + where.rfind('[') + 1;
  const char* const end = where.data() + where.size();
  while (at < end) {
    std::size_t index = 0;
    const auto read = std::from_chars(at, end, index);
    if (read.ec != std::errc()) throw Error(ErrorKind::internal, fmt::format("a chain goes through \"{}\"", where));
    indices.push_back(index);
    at = read.ptr + 1;
  }
  return indices;
}

void mark_path(const ChainPath& path, std::size_t stage, ChainMarks& marks) {
  for (const ChainFactor& factor : path.factors) {
    if (factor.what == "dz/dw") continue;  // told by picked and source
    const std::vector<std::size_t> at = indices_of(factor.where);
    if (factor.what == "dz/da") {
      marks.edges.insert(edge_key(stage, at.front(), at.back()));
      --stage;
      marks.units.insert(unit_key(stage, at.back()));
      continue;
    }
    marks.units.insert(unit_key(stage, at.front()));
    if (factor.what == "dC/da") marks.edges.insert(cost_key(at.front()));
    if (factor.what == "dC/dz") marks.errors.insert(unit_key(stage, at.front()));
    if (factor.what == "da/dz") marks.slopes.insert(unit_key(stage, at.front()));
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
    const bool from_cost = path.factors.front().what == "dC/da";
    mark_path(path, from_cost ? explanation.stages.size() - 1 : chain.stage + 1, marks);
    if (from_cost) marks.units.insert("cost");
  }
  marks.picked = edge_key(chain.stage, weight.unit, weight.input);
  marks.source = weight.input ? source_key(chain.stage, *weight.input) : unit_key(chain.stage, weight.unit);
  marks.units.insert(marks.source);
  return marks;
}

}  // namespace lockstep
