// Contours against figures whose area and place are known; ticks; what SVG may hold.
#include "report/contours.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <string>

#include "report/axes.hpp"
#include "report/landscape_figure.hpp"

namespace lockstep {
namespace {

struct Sheet {
  std::vector<double> x, y, values;
  [[nodiscard]] GridValues view() const { return {x, y, values}; }
};

template <class Function>
Sheet sheet(std::size_t points, Function f) {
  Sheet made;
  for (std::size_t i = 0; i < points; ++i) {
    made.x.push_back(-1 + 2 * static_cast<double>(i) / static_cast<double>(points - 1));
  }
  made.y = made.x;
  for (const double y : made.y) {
    for (const double x : made.x) made.values.push_back(f(x, y));
  }
  return made;
}

// Of the loops together; what goes round the other way counts against the rest.
double area(const std::vector<std::vector<SvgPoint>>& loops) {
  double twice = 0;
  for (const auto& loop : loops) {
    for (std::size_t i = 0; i < loop.size(); ++i) {
      const SvgPoint& a = loop[i];
      const SvgPoint& b = loop[(i + 1) % loop.size()];
      twice += a.x * b.y - b.x * a.y;
    }
  }
  return std::abs(twice) / 2;
}

TEST(Contours, LeaveOutADiskAndFollowTheBorder) {
  const Sheet bowl = sheet(41, [](double x, double y) { return x * x + y * y; });
  const auto loops = contour_loops(bowl.view(), 0.25);
  EXPECT_EQ(loops.size(), 2U);  // the border, and the circle
  // Chords of squares of 1/20 in place of a circle of radius 1/2: within 1 %.
  EXPECT_NEAR(area(loops), 4 - std::numbers::pi / 4, 0.008);
  for (const auto& loop : loops) {
    for (const SvgPoint& point : loop) {
      const bool on_border = std::abs(point.x) == 1 || std::abs(point.y) == 1;
      EXPECT_TRUE(on_border || std::abs(std::hypot(point.x, point.y) - 0.5) < 0.002);
    }
  }
}

TEST(Contours, SaddlesCloseToo) {
  const Sheet saddle = sheet(4, [](double x, double y) { return x * y; });
  EXPECT_EQ(contour_loops(saddle.view(), -0.02).size(), 1U);  // over the saddle
  EXPECT_EQ(contour_loops(saddle.view(), 0.02).size(), 2U);   // to either side of it
  EXPECT_NEAR(area(contour_loops(saddle.view(), -1)), 4, 1e-12);
  EXPECT_TRUE(contour_loops(saddle.view(), 1.01).empty());
}

TEST(Contours, GapsAreInNoBand) {
  Sheet flat = sheet(5, [](double, double) { return 1.0; });
  flat.values[2 * 5 + 2] = std::numeric_limits<double>::quiet_NaN();
  flat.values[0] = std::numeric_limits<double>::infinity();
  // Round the one the diamond to its neighbours, at the other a triangle.
  EXPECT_NEAR(area(contour_loops(flat.view(), 0.5)), 4 - 0.5 - 0.125, 1e-12);
}

TEST(ContourLevels, RingsOfABowlAreEquallyBroad) {
  const Sheet bowl = sheet(101, [](double x, double y) { return x * x + y * y; });
  const auto levels = contour_levels(bowl.values, 10);
  ASSERT_EQ(levels.size(), 8U);
  for (std::size_t i = 0; i < 6; ++i) {  // within the square; the k-th has k^2 / 100 of its area
    EXPECT_NEAR(std::sqrt(levels[i]), std::sqrt(4 / std::numbers::pi) * static_cast<double>(i + 2) / 10, 0.02);
  }
  EXPECT_TRUE(contour_levels(std::vector<double>(9, 3.5), 10).empty());
}

TEST(Ticks, AreRoundAndWithinTheRange) {
  EXPECT_EQ(round_ticks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(round_ticks(-1.3, 0.9, 5).size(), 4U);
  EXPECT_TRUE(round_ticks(1, 1, 5).empty());
}

TEST(Ticks, EndWhereTheRangeIsNarrowerThanNumbers) {
  EXPECT_TRUE(round_ticks(1, std::nextafter(1, 2), 8).empty());
  EXPECT_EQ(round_ticks(1, 1 + 1e-9, 5).size(), 6U);
}

TEST(Ticks, TextsTellThemApart) {
  EXPECT_EQ(tick_texts({-0.5, -0.0, 0.5}), (std::vector<std::string>{"-0.5", "0", "0.5"}));
  EXPECT_EQ(tick_texts({1e6, 1000000.25, 1000000.5}), (std::vector<std::string>{"1000000", "1000000.2", "1000000.5"}));
}

TEST(LandscapeFigure, DrawsACurveThatIsFlatButForRounding) {
  LandscapeFigure figure;
  figure.weights = {"dense1[0,0]"};
  figure.x = {0, 1, 2};
  figure.costs = {0.5, std::nextafter(0.5, 1), 0.5};
  const std::string svg = landscape_svg(figure);
  EXPECT_NE(svg.find("class=\"curve\""), std::string::npos);
  EXPECT_NE(svg.find("class=\"y-tick\""), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(Svg, HoldsAnyText) {
  Svg svg(10, 10, "a<b>\xff");
  svg.text({1, 2}, "", "& \"c\"\n");
  EXPECT_NE(svg.str().find("<title>a&#60;b&#62;\uFFFD</title>"), std::string::npos);
  EXPECT_NE(svg.str().find("<text x=\"1\" y=\"2\" >&#38; &#34;c&#34; </text>"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
