#include "explain/chain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace lockstep {
namespace {

constexpr double kMostPaths = 8;

class PathFinder {
 public:
  PathFinder(std::span<const Stage> stages, InputSlope slope) : stages_(stages), slope_(slope) {}

  // Paths whose products add up to dC/dA of a unit.
  std::vector<ChainPath> to_unit(std::size_t stage, std::size_t unit) {
    if (stage + 1 == stages_.size()) {
      return {ChainPath{{{"dC/da", name_of(stage, unit), stages_[stage].da[unit], stage, unit}}}};
    }
    std::vector<ChainPath> paths;
    for (std::size_t next = 0; next < stages_[stage + 1].a.size(); ++next) {
      for (ChainPath path : to_unit(stage + 1, next)) {
        add_activation(path, stage + 1, next);
        add_product(path, stage, unit, next);
        paths.push_back(std::move(path));
      }
    }
    return paths;
  }

  // The same, from the errors of the next stage.
  std::vector<ChainPath> from_next(std::size_t stage, std::size_t unit) {
    std::vector<ChainPath> paths;
    const Stage& behind = stages_[stage + 1];
    for (std::size_t next = 0; next < behind.dz.size(); ++next) {
      ChainPath path{
          {{"dC/dz", fmt::format("{}[{}]", behind.layers.front().name, next), behind.dz[next], stage + 1, next}}};
      add_product(path, stage, unit, next);
      paths.push_back(std::move(path));
    }
    return paths;
  }

  void add_activation(ChainPath& path, std::size_t stage, std::size_t unit) const {
    if (stages_[stage].layers.size() < 2) return;
    path.factors.push_back({"da/dz", name_of(stage, unit), stages_[stage].slopes[unit], stage, unit});
  }

 private:
  // A unit by the layer whose outputs are the stage's.
  [[nodiscard]] std::string name_of(std::size_t stage, std::size_t unit) const {
    return fmt::format("{}[{}]", stages_[stage].layers.back().name, unit);
  }

  void add_product(ChainPath& path, std::size_t stage, std::size_t unit, std::size_t next) const {
    path.factors.push_back({"dz/da", fmt::format("{}[{},{}]", stages_[stage + 1].layers.front().name, next, unit),
                            slope_(stage + 1, next, unit), stage + 1, next, unit});
  }

  std::span<const Stage> stages_;
  InputSlope slope_;
};

}  // namespace

double ChainPath::product() const {
  double product = 1;
  for (const ChainFactor& factor : factors) product *= factor.value;
  return product;
}

Chain make_chain(std::span<const Stage> stages, std::size_t stage, const ExplainedWeight& weight, InputSlope slope) {
  Chain chain{.stage = stage, .weight = weight, .num_paths = 1, .paths = {}};
  for (const Stage& behind : stages.subspan(stage + 1)) chain.num_paths *= static_cast<double>(behind.a.size());
  PathFinder finder(stages, slope);
  const bool few = chain.num_paths <= kMostPaths;
  chain.paths = few ? finder.to_unit(stage, weight.unit) : finder.from_next(stage, weight.unit);
  for (ChainPath& path : chain.paths) {
    finder.add_activation(path, stage, weight.unit);
    const std::string of =
        weight.input ? fmt::format("{}[{}]", stage == 0 ? "x" : stages[stage - 1].layers.back().name, *weight.input)
                     : "1, of a bias";
    path.factors.push_back({"dz/dw", of, weight.of_weight, stage, weight.unit, weight.input});
  }
  if (few) return chain;
  chain.num_paths = static_cast<double>(chain.paths.size());
  std::ranges::stable_sort(chain.paths, [](const ChainPath& a, const ChainPath& b) {
    return std::abs(a.product()) > std::abs(b.product());
  });
  for (std::size_t i = static_cast<std::size_t>(kMostPaths); i < chain.paths.size(); ++i) {
    chain.others += chain.paths[i].product();
  }
  chain.paths.resize(std::min(chain.paths.size(), static_cast<std::size_t>(kMostPaths)));
  return chain;
}

}  // namespace lockstep
