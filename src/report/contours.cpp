#include "report/contours.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string>

#include <fmt/format.h>

namespace lockstep {
namespace {

double rounded(double value, int digits) {
  return std::strtod(fmt::format("{:.{}g}", value, digits).c_str(), nullptr);
}

// The grid with a ring of gaps round it, in the place of its border, so that every loop closes.
class Ringed {
 public:
  Ringed(const GridValues& grid, double level)
      : grid_(grid), level_(level), columns_(grid.x.size() + 2), rows_(grid.y.size() + 2) {}

  std::vector<std::vector<SvgPoint>> loops() {
    for (std::size_t row = 0; row + 1 < rows_; ++row) {
      for (std::size_t column = 0; column + 1 < columns_; ++column) cross(row, column);
    }
    std::vector<std::vector<SvgPoint>> loops;
    while (!next_.empty()) {
      std::vector<SvgPoint> loop;
      for (auto at = next_.begin(); at != next_.end();) {
        loop.push_back(place(at->first));
        const std::size_t to = at->second;
        next_.erase(at);
        at = next_.find(to);
      }
      loops.push_back(std::move(loop));
    }
    return loops;
  }

 private:
  [[nodiscard]] bool has(std::size_t row, std::size_t column) const {
    return row > 0 && row + 1 < rows_ && column > 0 && column + 1 < columns_ && std::isfinite(value(row, column));
  }
  [[nodiscard]] double value(std::size_t row, std::size_t column) const {
    return grid_.values[(row - 1) * grid_.x.size() + column - 1];
  }
  [[nodiscard]] bool above(std::size_t row, std::size_t column) const {
    return has(row, column) && value(row, column) >= level_;
  }
  [[nodiscard]] SvgPoint crossing(std::size_t row, std::size_t column) const {
    return {grid_.x[std::clamp<std::size_t>(column, 1, columns_ - 2) - 1],
            grid_.y[std::clamp<std::size_t>(row, 1, rows_ - 2) - 1]};
  }

  // Edges of the grid: from a crossing to the next in its row (even) or in its column (odd).
  [[nodiscard]] std::size_t edge(std::size_t row, std::size_t column, bool upwards) const {
    return 2 * (row * columns_ + column) + (upwards ? 1 : 0);
  }

  // Where the level is on an edge that it crosses.
  [[nodiscard]] SvgPoint place(std::size_t edge) const {
    const bool upwards = edge % 2 == 1;
    const std::size_t row = edge / 2 / columns_;
    const std::size_t column = edge / 2 % columns_;
    const std::size_t to_row = row + (upwards ? 1 : 0);
    const std::size_t to_column = column + (upwards ? 0 : 1);
    const SvgPoint from = crossing(row, column);
    const SvgPoint to = crossing(to_row, to_column);
    if (!has(row, column)) return to;
    if (!has(to_row, to_column)) return from;
    const double share = (level_ - value(row, column)) / (value(to_row, to_column) - value(row, column));
    return {from.x + share * (to.x - from.x), from.y + share * (to.y - from.y)};
  }

  // The ways through a cell, what is above on their left.
  void cross(std::size_t row, std::size_t column) {
    const bool a = above(row, column);
    const bool b = above(row, column + 1);
    const bool c = above(row + 1, column + 1);
    const bool d = above(row + 1, column);
    // Edges of the cell, round it; behind each the corner that comes first and the one that comes next.
    const std::array<std::size_t, 4> edges{edge(row, column, false), edge(row, column + 1, true),
                                           edge(row + 1, column, false), edge(row, column, true)};
    const std::array<bool, 4> corner{a, b, c, d};
    std::vector<std::size_t> in;  // edges over which the border of what is above enters: from above to below
    std::vector<std::size_t> out;
    for (std::size_t side = 0; side < 4; ++side) {
      const bool first = corner[side];
      const bool second = corner[(side + 1) % 4];
      if (first && !second) in.push_back(side);
      if (!first && second) out.push_back(side);
    }
    if (in.size() == 1) {
      next_[edges[in[0]]] = edges[out[0]];
    } else if (in.size() == 2) {  // a saddle: the mean tells whether the corners above are joined
      const bool joined =
          has(row, column) && has(row, column + 1) && has(row + 1, column) && has(row + 1, column + 1) &&
          value(row, column) + value(row, column + 1) + value(row + 1, column) + value(row + 1, column + 1) >=
              4 * level_;
      for (const std::size_t side : in) next_[edges[side]] = edges[(side + (joined ? 1 : 3)) % 4];
    }
  }

  const GridValues& grid_;
  double level_;
  std::size_t columns_, rows_;
  std::map<std::size_t, std::size_t> next_;  // from an edge to the one where the border leaves the cell
};

}  // namespace

std::vector<double> contour_levels(std::span<const double> values, std::size_t bands) {
  std::vector<double> sorted;
  std::ranges::copy_if(values, std::back_inserter(sorted), [](double value) { return std::isfinite(value); });
  if (sorted.empty()) return {};
  std::ranges::sort(sorted);
  const double spread = sorted.back() - sorted.front();
  std::vector<double> levels;
  for (std::size_t k = 2; k < bands; ++k) {
    const double share = static_cast<double>(k) / static_cast<double>(bands);
    const double exact = sorted[static_cast<std::size_t>(share * share * static_cast<double>(sorted.size() - 1))];
    double level = rounded(exact, 3);
    if (std::abs(level - exact) > spread / 200) level = rounded(exact, 6);
    if (level > (levels.empty() ? sorted.front() : levels.back()) && level < sorted.back() &&
        level - sorted.front() > 1e-6 * spread) {
      levels.push_back(level);
    }
  }
  return levels;
}

std::vector<std::vector<SvgPoint>> contour_loops(const GridValues& grid, double level) {
  return Ringed(grid, level).loops();
}

}  // namespace lockstep
