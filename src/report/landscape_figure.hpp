// The picture of a cost landscape, as a textbook draws it: a curve over one weight, contours over two, and the steps of
// gradient descent as a ball that rolls down.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

struct LandscapeFigure {
  std::string title;
  std::string subtitle;
  std::vector<std::string> weights;  ///< names: one, or two
  std::vector<double> x;             ///< places on the grid, ascending
  std::vector<double> y;             ///< of the second weight; empty where there is one
  std::vector<double> costs;         ///< [y, x]; what is not finite is a gap
  /// A place, and the cost there.
  struct Mark {
    double x = 0;
    double y = 0;  ///< the second weight
    double cost = 0;
  };
  std::vector<Mark> ball;       ///< the start and each step
  double lr = 0;                ///< of the steps
  double slope = 0;             ///< at the start, of one weight
  std::optional<Mark> minimum;  ///< none where nothing is finite
  bool on_border = false;       ///< the minimum
};

/// The file. The ball's positions are circles of class "ball": those that lie within the range.
[[nodiscard]] std::string landscape_svg(const LandscapeFigure& figure);

}  // namespace lockstep
