// The lowest place of a cost surface, from the lowest point of a grid on.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "score/landscape.hpp"

namespace lockstep {
namespace {

using Pair = std::array<double, 2>;

// A search ends at a millionth of the grid's spacing, which takes ten fourths.
constexpr int kMostRounds = 60;
constexpr double kFineness = 1e-6;
// Costs that differ by less are the same: rounding of the 32-bit floats in a pass.
constexpr double kNoise = 1e-6;

class Search {
 public:
  Search(CostSurface& surface, const CostPoint& start, const WeightPoint& low, const WeightPoint& high, Pair spacing)
      : surface_(surface), weights_(surface.weights()), low_(low), high_(high), spacing_(spacing), reach_(spacing) {
    best_ = surface.point(start.at);
  }

  CostPoint run() {
    for (int round = 0; round < kMostRounds && !is_fine(); ++round) {
      std::vector<CostPoint> around;  // low and high neighbour by each weight
      for (std::size_t i = 0; i < weights_; ++i) {
        for (const double side : {-1.0, 1.0}) {
          CostPoint neighbour = best_;
          neighbour.at[i] = within(i, static_cast<double>(best_.at[i]) + side * reach_[i]);
          around.push_back(neighbour);
        }
      }
      surface_.fill(around, true);
      if (const std::optional<WeightPoint> to = newton(around)) {
        const CostPoint there = surface_.point(*to);
        if (is_better(there)) {
          const bool near = is_near(there.at);
          best_ = there;
          if (near) break;
          shrink();
          continue;
        }
      }
      const auto lowest = std::ranges::min_element(around, [](const CostPoint& a, const CostPoint& b) {
        return a.finite() && (!b.finite() || a.cost < b.cost);
      });
      if (lowest->finite() && lowest->cost < best_.cost - noise()) {
        best_ = *lowest;
      } else {
        shrink();
      }
    }
    return best_;
  }

 private:
  [[nodiscard]] float within(std::size_t i, double weight) const {
    return std::clamp(static_cast<float>(weight), low_[i], high_[i]);
  }
  [[nodiscard]] double noise() const { return kNoise * std::abs(best_.cost); }
  void shrink() {
    for (double& reach : reach_) reach /= 4;
  }
  [[nodiscard]] bool is_fine() const {
    bool fine = true;
    for (std::size_t i = 0; i < weights_; ++i) fine = fine && reach_[i] < spacing_[i] * kFineness;
    return fine;
  }
  [[nodiscard]] bool is_near(const WeightPoint& at) const {
    bool near = true;
    for (std::size_t i = 0; i < weights_; ++i) {
      near = near && std::abs(static_cast<double>(at[i]) - static_cast<double>(best_.at[i])) < spacing_[i] * kFineness;
    }
    return near;
  }
  // Whether the cost falls only by leaving the range of weight `i`.
  [[nodiscard]] bool is_held(const CostPoint& point, std::size_t i) const {
    return (point.at[i] <= low_[i] && point.slope[i] > 0) || (point.at[i] >= high_[i] && point.slope[i] < 0);
  }
  // How steep it is, by the grid's spacing.
  [[nodiscard]] double steepness(const CostPoint& point) const {
    double sum = 0;
    for (std::size_t i = 0; i < weights_; ++i) {
      if (!is_held(point, i)) sum += std::abs(point.slope[i] * spacing_[i]);
    }
    return sum;
  }
  [[nodiscard]] bool is_better(const CostPoint& point) const {
    if (!point.finite()) return false;
    if (std::abs(point.cost - best_.cost) > noise()) return point.cost < best_.cost;
    return steepness(point) < steepness(best_);
  }

  // Where the slopes would be 0, were they as straight as between the neighbours; none where that is no minimum.
  [[nodiscard]] std::optional<WeightPoint> newton(const std::vector<CostPoint>& around) const {
    std::array<Pair, 2> curvature{{{1, 0}, {0, 1}}};
    Pair slope{};
    for (std::size_t i = 0; i < weights_; ++i) {
      const CostPoint& below = around[2 * i];
      const CostPoint& above = around[2 * i + 1];
      const double distance = static_cast<double>(above.at[i]) - static_cast<double>(below.at[i]);
      if (!below.finite() || !above.finite() || !(distance > 0)) return std::nullopt;
      for (std::size_t j = 0; j < weights_; ++j) curvature[i][j] = (above.slope[j] - below.slope[j]) / distance;
      slope[i] = best_.slope[i];
    }
    const double across = (curvature[0][1] + curvature[1][0]) / 2;
    curvature[0][1] = curvature[1][0] = across;
    for (std::size_t i = 0; i < weights_; ++i) {  // a weight that is held at the border stays there
      if (!is_held(best_, i)) continue;
      curvature[0][1] = curvature[1][0] = 0;
      curvature[i][i] = 1;
      slope[i] = 0;
    }
    const double determinant = curvature[0][0] * curvature[1][1] - curvature[0][1] * curvature[1][0];
    if (!(curvature[0][0] > 0 && curvature[1][1] > 0 && determinant > 0)) return std::nullopt;
    Pair step{-(curvature[1][1] * slope[0] - curvature[0][1] * slope[1]) / determinant,
              -(curvature[0][0] * slope[1] - curvature[1][0] * slope[0]) / determinant};
    double shorter = 1;  // at most two spacings far
    for (std::size_t i = 0; i < weights_; ++i) {
      shorter = std::min(shorter, 2 * spacing_[i] / std::max(std::abs(step[i]), 2 * spacing_[i]));
    }
    WeightPoint to = best_.at;
    for (std::size_t i = 0; i < weights_; ++i) {
      to[i] = within(i, static_cast<double>(best_.at[i]) + shorter * step[i]);
    }
    return to;
  }

  CostSurface& surface_;
  std::size_t weights_;
  WeightPoint low_, high_;
  Pair spacing_;
  Pair reach_;  // how far the neighbours are
  CostPoint best_;
};

}  // namespace

Minimum find_minimum(CostSurface& surface, std::span<const CostPoint> grid, std::span<const float> first,
                     std::span<const float> second) {
  double low_cost = std::numeric_limits<double>::infinity();
  double high_cost = -low_cost;
  for (const CostPoint& point : grid) {
    if (!std::isfinite(point.cost)) continue;
    low_cost = std::min(low_cost, point.cost);
    high_cost = std::max(high_cost, point.cost);
  }
  if (!(low_cost <= high_cost)) return {};
  const auto spacing = [](std::span<const float> axis) {
    return axis.empty() ? 0
                        : (static_cast<double>(axis.back()) - static_cast<double>(axis.front())) /
                              static_cast<double>(axis.size() - 1);
  };
  const Pair apart{spacing(first), spacing(second)};
  const CostPoint* lowest = nullptr;  // of equal ones the nearest to the net
  double nearest = std::numeric_limits<double>::infinity();
  const double same = low_cost + kNoise * std::abs(low_cost);
  for (const CostPoint& point : grid) {
    if (!(point.cost <= same)) continue;
    double distance = 0;  // in spacings
    for (std::size_t i = 0; i < surface.weights(); ++i) {
      distance += std::abs(static_cast<double>(point.at[i]) - static_cast<double>(surface.here()[i])) / apart[i];
    }
    if (distance < nearest) lowest = &point;
    nearest = std::min(nearest, distance);
  }
  if (lowest == nullptr) return {};
  if (low_cost == high_cost) return {*lowest, true, true, false};
  const WeightPoint low{first.front(), second.empty() ? 0 : second.front()};
  const WeightPoint high{first.back(), second.empty() ? 0 : second.back()};
  Minimum minimum{Search(surface, *lowest, low, high, apart).run(), true, false, false};
  for (std::size_t i = 0; i < surface.weights(); ++i) {
    const float at = minimum.point.at[i];
    minimum.on_border = minimum.on_border || at <= low[i] || at >= high[i];
  }
  return minimum;
}

}  // namespace lockstep
