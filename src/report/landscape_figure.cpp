#include "report/landscape_figure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/number_text.hpp"
#include "report/axes.hpp"
#include "report/contours.hpp"
#include "report/svg.hpp"

namespace lockstep {
namespace {

using Mark = LandscapeFigure::Mark;

constexpr double kWidth = 760;
constexpr double kHeight = 620;
constexpr double kTop = 76;      // of the axes
constexpr double kBottom = 126;  // below them
constexpr std::size_t kBands = 15;
constexpr const char* kBallColor = "#d1340b";

// Light to dark blue, even steps of lightness: low is dark, in grey too (ColorBrewer's YlGnBu, Cynthia Brewer 2003).
constexpr std::array<std::array<double, 3>, 9> kRamp{{{8, 29, 88},
                                                      {37, 52, 148},
                                                      {34, 94, 168},
                                                      {29, 145, 192},
                                                      {65, 182, 196},
                                                      {127, 205, 187},
                                                      {199, 233, 180},
                                                      {237, 248, 177},
                                                      {255, 255, 217}}};

std::string ramp_color(double share) {
  const double at = std::clamp(share, 0.0, 1.0) * static_cast<double>(kRamp.size() - 1);
  const std::size_t below = std::min(static_cast<std::size_t>(at), kRamp.size() - 2);
  const double rest = at - static_cast<double>(below);
  std::array<int, 3> color{};
  for (std::size_t i = 0; i < 3; ++i) {
    color[i] = static_cast<int>(std::lround(kRamp[below][i] * (1 - rest) + kRamp[below + 1][i] * rest));
  }
  return fmt::format("#{:02x}{:02x}{:02x}", color[0], color[1], color[2]);
}

std::string cost_text(double cost) {
  return fmt::format("{:.6g}", cost);
}

// Costs with as many digits as tell neighbours apart.
std::vector<std::string> cost_texts(const std::vector<double>& costs) {
  constexpr int kMostDigits = 8;
  std::vector<std::string> texts(costs.size());
  for (int digits = 4; digits <= kMostDigits; ++digits) {
    bool apart = true;
    for (std::size_t i = 0; i < costs.size(); ++i) {
      texts[i] = fmt::format("{:.{}g}", costs[i], digits);
      apart = apart && (i == 0 || texts[i] != texts[i - 1] || costs[i] == costs[i - 1]);
    }
    if (apart) break;
  }
  return texts;
}

std::string place_text(const LandscapeFigure& figure, const Mark& mark) {
  if (figure.weights.size() == 1) return fmt::format("{:.4g}", mark.x);
  return fmt::format("({:.4g}, {:.4g})", mark.x, mark.y);
}

void draw_diamond(Svg& svg, SvgPoint at, std::string_view kind) {
  constexpr double kSize = 7;
  const std::vector<SvgPoint> corners{
      {at.x, at.y - kSize}, {at.x + kSize, at.y}, {at.x, at.y + kSize}, {at.x - kSize, at.y}};
  svg.loops(std::span(&corners, 1), fmt::format("class=\"{}\" fill=\"#fff\" stroke=\"#111\" stroke-width=\"2\"", kind));
}

// How the circle of step `step` looks: the start hollow, the end large.
std::pair<double, std::string> ball_look(std::size_t step, std::size_t steps) {
  constexpr std::size_t kMany = 60;  // whose borders would cover them
  if (step == 0) return {6, fmt::format("fill=\"#fff\" stroke=\"{}\" stroke-width=\"2.5\"", kBallColor)};
  if (step + 1 == steps) return {6, fmt::format("fill=\"{}\" stroke=\"#fff\" stroke-width=\"1.5\"", kBallColor)};
  if (steps > kMany) return {2.2, fmt::format("fill=\"{}\"", kBallColor)};
  return {3.5, fmt::format("fill=\"{}\" stroke=\"#fff\" stroke-width=\"0.7\"", kBallColor)};
}

// The way of the ball; `height` is where it is in the picture's second direction.
template <class Height>
void draw_ball(Svg& svg, const Axes& axes, const LandscapeFigure& figure, Height height, bool halo) {
  std::vector<SvgPoint> way;
  for (const Mark& mark : figure.ball) {
    const SvgPoint at = axes.at(mark.x, height(mark));
    // What is far outside would not be a number of pixels.
    if (!(std::abs(at.x) < 1e6 && std::abs(at.y) < 1e6)) break;
    way.push_back(at);
  }
  svg.open("clip-path=\"url(#plot)\"");
  if (halo) svg.polyline(way, "stroke=\"#fff\" stroke-width=\"3.5\" stroke-opacity=\"0.8\"");
  svg.polyline(way, fmt::format("class=\"path\" stroke=\"{}\" stroke-width=\"1.5\"", kBallColor));
  svg.close();
  const auto draw = [&](std::size_t i) {
    const Mark& mark = figure.ball[i];
    if (!axes.shows(mark.x, height(mark))) return;
    const auto [radius, look] = ball_look(i, figure.ball.size());
    svg.circle(axes.at(mark.x, height(mark)), radius, "class=\"ball\" " + look,
               fmt::format("{}: {}, cost {}", i == 0 ? "start" : fmt::format("step {}", i), place_text(figure, mark),
                           cost_text(mark.cost)));
  };
  // End and start last: where the ball hardly moves they would be hidden.
  for (std::size_t i = 1; i + 1 < figure.ball.size(); ++i) draw(i);
  if (figure.ball.size() > 1) draw(figure.ball.size() - 1);
  if (!figure.ball.empty()) draw(0);
}

bool shows(const LandscapeFigure& figure, const Mark& mark) {
  const auto within = [](const std::vector<double>& axis, double at) {
    return at >= axis.front() && at <= axis.back();
  };
  return within(figure.x, mark.x) && (figure.y.empty() || within(figure.y, mark.y));
}

// What the marks are, in a row below the axes.
void draw_legend(Svg& svg, const LandscapeFigure& figure) {
  constexpr std::array<double, 3> kColumns{58, 258, 538};
  constexpr double kLine = kHeight - 50;
  std::size_t column = 0;
  double left = kColumns[0];
  const auto entry = [&](const std::string& what, const Mark& mark) {
    svg.text({left + 14, kLine + 4.5}, "font-weight=\"bold\"", what);
    svg.text({left + 14, kLine + 22}, "", "at " + place_text(figure, mark));
    svg.text({left + 14, kLine + 39}, "", "cost " + cost_text(mark.cost));
    left = kColumns[std::min(++column, kColumns.size() - 1)];
  };
  if (!figure.ball.empty()) {
    svg.circle({left, kLine}, 6, ball_look(0, 2).second);
    entry(shows(figure, figure.ball.front()) ? "start" : "start, out of sight", figure.ball.front());
  }
  if (figure.ball.size() > 1) {
    svg.circle({left, kLine}, 6, ball_look(1, 2).second);
    const std::size_t steps = figure.ball.size() - 1;
    entry(fmt::format("after {} of rate {:.4g}{}", count_text(steps, "step"), figure.lr,
                      shows(figure, figure.ball.back()) ? "" : ", out of sight"),
          figure.ball.back());
  }
  if (figure.minimum) {
    draw_diamond(svg, {left, kLine}, "legend");
    entry(figure.on_border ? "lowest, on the border" : "minimum", *figure.minimum);
  }
}

std::pair<double, double> range_of(const std::vector<double>& values) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  return {low, high};
}

void draw_curve(Svg& svg, const LandscapeFigure& figure) {
  Axes axes{.left = 78,
            .top = kTop,
            .width = kWidth - 78 - 28,
            .height = kHeight - kTop - kBottom,
            .x_low = figure.x.front(),
            .x_high = figure.x.back()};
  auto [low, high] = range_of(figure.costs);
  if (figure.minimum) low = std::min(low, figure.minimum->cost);
  if (low <= high) {
    // What is flat but for the rounding of 32-bit floats is drawn flat.
    const double least = std::max(1e-6 * std::max(std::abs(low), std::abs(high)), 1e-12);
    const double margin = high > low ? std::max(0.06 * (high - low), least) : std::max(std::abs(high) * 0.1, least);
    axes.y_low = low - margin;
    axes.y_high = high + margin;
  }
  svg.clip("plot", {axes.left, axes.top}, axes.width, axes.height);
  draw_axes(svg, axes, figure.weights[0], "cost", true);
  std::vector<SvgPoint> piece;  // up to a gap
  const auto end_piece = [&] {
    if (piece.size() > 1) svg.polyline(piece, "class=\"curve\" stroke=\"#1f4e9c\" stroke-width=\"2.5\"");
    if (piece.size() == 1) svg.circle(piece[0], 1.5, "fill=\"#1f4e9c\"");
    piece.clear();
  };
  for (std::size_t i = 0; i < figure.x.size(); ++i) {
    if (std::isfinite(figure.costs[i])) {
      piece.push_back(axes.at(figure.x[i], figure.costs[i]));
    } else {
      end_piece();
    }
  }
  end_piece();
  if (!figure.ball.empty() && std::isfinite(figure.slope) && axes.shows(figure.ball[0].x, figure.ball[0].cost)) {
    const Mark& start = figure.ball[0];
    const SvgPoint at = axes.at(start.x, start.cost);
    SvgPoint along = axes.at(start.x + 1, start.cost + figure.slope);
    const double length = std::hypot(along.x - at.x, along.y - at.y);
    constexpr double kTangent = 110;  // pixels to each side
    along = {(along.x - at.x) / length * kTangent, (along.y - at.y) / length * kTangent};
    svg.open("clip-path=\"url(#plot)\"");
    svg.line({at.x - along.x, at.y - along.y}, {at.x + along.x, at.y + along.y},
             "class=\"tangent\" stroke=\"#444\" stroke-width=\"1.3\" stroke-dasharray=\"5 4\"");
    svg.close();
    svg.text({axes.left + axes.width - 10, axes.top + 20}, "text-anchor=\"end\" fill=\"#444\"",
             fmt::format("dashed: the slope at the start, {:.4g}", figure.slope));
  }
  draw_ball(
      svg, axes, figure, [](const Mark& mark) { return mark.cost; }, false);
  if (figure.minimum) draw_diamond(svg, axes.at(figure.minimum->x, figure.minimum->cost), "minimum");
}

// Colours and costs, beside the axes.
void draw_bar(Svg& svg, const Axes& axes, const std::vector<double>& levels, double low, double high) {
  const double left = axes.left + axes.width + 24;
  constexpr double kBar = 18;
  const std::size_t bands = levels.size() + 1;
  const double step = axes.height / static_cast<double>(bands);
  std::vector<double> costs{low};
  costs.insert(costs.end(), levels.begin(), levels.end());
  costs.push_back(high);
  const std::vector<std::string> texts = cost_texts(costs);
  for (std::size_t band = 0; band <= bands; ++band) {
    const double bottom = axes.top + axes.height - step * static_cast<double>(band);
    svg.text({left + kBar + 7, bottom + 4.5}, "", texts[band]);
    if (band == bands) break;
    svg.rect({left, bottom - step}, kBar, step,
             fmt::format("fill=\"{}\"", ramp_color(static_cast<double>(band) / static_cast<double>(bands))));
  }
  svg.rect({left, axes.top}, kBar, axes.height, "fill=\"none\" stroke=\"#444\"");
  svg.text({left, axes.top - 12}, "font-size=\"14\"", "cost");
}

void draw_contours(Svg& svg, const LandscapeFigure& figure) {
  constexpr double kSide = 104;  // for the colours
  const Axes axes{.left = 78,
                  .top = kTop,
                  .width = kWidth - 78 - kSide - 20,
                  .height = kHeight - kTop - kBottom,
                  .x_low = figure.x.front(),
                  .x_high = figure.x.back(),
                  .y_low = figure.y.front(),
                  .y_high = figure.y.back()};
  svg.clip("plot", {axes.left, axes.top}, axes.width, axes.height);
  svg.rect({axes.left, axes.top}, axes.width, axes.height, "fill=\"#ddd\"");  // shows where nothing is finite
  const auto [low, high] = range_of(figure.costs);
  const std::vector<double> levels = contour_levels(figure.costs, kBands);
  const GridValues grid{figure.x, figure.y, figure.costs};
  const auto bands = static_cast<double>(levels.size() + 1);
  const auto fill = [&, low = low](std::size_t band) {
    auto loops = contour_loops(grid, band == 0 ? low : levels[band - 1]);
    for (auto& loop : loops) {
      for (SvgPoint& point : loop) point = axes.at(point.x, point.y);
    }
    svg.loops(loops,
              fmt::format("class=\"band\" fill=\"{}\" stroke=\"#000\" stroke-opacity=\"{}\" stroke-width=\"0.7\"",
                          ramp_color(static_cast<double>(band) / bands), band == 0 ? "0" : "0.35"));
  };
  svg.open("clip-path=\"url(#plot)\"");
  for (std::size_t band = 0; low <= high && band <= levels.size(); ++band) fill(band);
  svg.close();
  draw_axes(svg, axes, figure.weights[0], figure.weights[1], false);
  if (low <= high) draw_bar(svg, axes, levels, low, high);
  draw_ball(
      svg, axes, figure, [](const Mark& mark) { return mark.y; }, true);
  if (figure.minimum) draw_diamond(svg, axes.at(figure.minimum->x, figure.minimum->y), "minimum");
}

}  // namespace

std::string landscape_svg(const LandscapeFigure& figure) {
  Svg svg(kWidth, kHeight, figure.title);
  svg.text({20, 27}, "font-size=\"17\" font-weight=\"bold\"", figure.title);
  svg.text({20, 47}, "fill=\"#555\"", figure.subtitle);
  if (figure.weights.size() == 1) {
    draw_curve(svg, figure);
  } else {
    draw_contours(svg, figure);
  }
  draw_legend(svg, figure);
  return svg.str();
}

}  // namespace lockstep
