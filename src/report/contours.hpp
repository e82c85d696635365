// Contours of numbers on a grid.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "report/svg.hpp"

namespace lockstep {

/// Numbers at the crossings of a grid; what is not finite is a gap.
struct GridValues {
  std::span<const double> x;       ///< [columns], ascending
  std::span<const double> y;       ///< [rows], ascending
  std::span<const double> values;  ///< [rows, columns]
};

/// Levels between at most `bands` bands, ascending, the lowest and the highest value not among them: such that the k-th
/// encloses about (k / bands)^2 of the area, so that round a minimum the rings are about equally broad, whatever the
/// values; the innermost ring, which would be few crossings, is part of the next. Rounded to three digits where that
/// keeps them apart. Empty where all values are about equal.
[[nodiscard]] std::vector<double> contour_levels(std::span<const double> values, std::size_t bands);

/// The borders of where the values are at least `level`, closed along the border of the grid and round gaps, by
/// marching squares: straight between two crossings.
[[nodiscard]] std::vector<std::vector<SvgPoint>> contour_loops(const GridValues& grid, double level);

}  // namespace lockstep
