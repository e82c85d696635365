// The frame of a picture: two axes with round ticks.
#pragma once

#include <string>
#include <vector>

#include "report/svg.hpp"

namespace lockstep {

/// Round numbers from `low` to `high`, about `wanted` of them: 1, 2 or 5 times a power of ten apart; none
/// where the range is so narrow that they would be the same.
[[nodiscard]] std::vector<double> round_ticks(double low, double high, double wanted);

/// Ticks as text: six digits, or as many as tell them apart.
[[nodiscard]] std::vector<std::string> tick_texts(const std::vector<double>& ticks);

/// Values in a rectangle of the picture.
struct Axes {
  double left = 0, top = 0, width = 0, height = 0;  ///< pixels
  double x_low = 0, x_high = 1, y_low = 0, y_high = 1;
  [[nodiscard]] SvgPoint at(double x, double y) const {
    return {left + (x - x_low) / (x_high - x_low) * width, top + (y_high - y) / (y_high - y_low) * height};
  }
  [[nodiscard]] bool shows(double x, double y) const { return x >= x_low && x <= x_high && y >= y_low && y <= y_high; }
};

/// Draws the frame, ticks with their numbers, and what the axes are; `grid` draws lines across too.
void draw_axes(Svg& svg, const Axes& axes, const std::string& x_name, const std::string& y_name, bool grid);

}  // namespace lockstep
