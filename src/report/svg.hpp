// Pictures as SVG, written by hand: a file that stands for itself, without scripts or fonts of its own.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// In the picture: pixels, from the top left.
struct SvgPoint {
  double x = 0;
  double y = 0;
};

/// Elements one behind the other; attributes are given as SVG writes them: `fill="none"`. Texts may hold anything.
class Svg {
 public:
  Svg(double width, double height, std::string_view title);

  void rect(SvgPoint corner, double width, double height, std::string_view attributes);
  void line(SvgPoint from, SvgPoint to, std::string_view attributes);
  /// `tip` is shown where a pointer rests on it; empty: nothing.
  void circle(SvgPoint center, double radius, std::string_view attributes, std::string_view tip = {});
  void polyline(std::span<const SvgPoint> points, std::string_view attributes);
  /// Closed loops: inside is what an odd number of them goes round.
  void loops(std::span<const std::vector<SvgPoint>> loops, std::string_view attributes);
  void text(SvgPoint at, std::string_view attributes, std::string_view text);
  /// A group: all up to close().
  void open(std::string_view attributes);
  void close();
  /// What lies outside of the rectangle is not drawn in groups with clip-path="url(#name)".
  void clip(std::string_view name, SvgPoint corner, double width, double height);

  /// The whole file.
  [[nodiscard]] std::string str() const { return text_ + "</svg>\n"; }

 private:
  std::string text_;
};

}  // namespace lockstep
