#include "report/axes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

constexpr double kMostSteps = 1e12;  // from 0 to a tick

// As many digits as tell neighbours apart, six at least.
int digits_of(const std::vector<double>& ticks) {
  if (ticks.size() < 2) return 6;
  const double largest = std::max(std::abs(ticks.front()), std::abs(ticks.back()));
  return std::max(6, 1 + static_cast<int>(std::ceil(std::log10(largest / (ticks[1] - ticks[0])))));
}

}  // namespace

std::vector<double> round_ticks(double low, double high, double wanted) {
  const double raw = (high - low) / wanted;
  if (!(raw > 0) || !std::isfinite(raw)) return {};
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double step = (raw > 7 * power ? 10 : raw > 3 * power ? 5 : raw > 1.5 * power ? 2 : 1) * power;
  std::vector<double> ticks;
  if (!(std::abs(low) + std::abs(high) < kMostSteps * step)) return {};  // counting on would stand still
  constexpr double kSlack = 1e-9;                                        // of a step: both ends belong to it
  for (double i = std::ceil(low / step - kSlack); i * step <= high + kSlack * step; ++i) ticks.push_back(i * step);
  return ticks;
}

std::vector<std::string> tick_texts(const std::vector<double>& ticks) {
  std::vector<std::string> texts;
  const int digits = digits_of(ticks);
  for (const double tick : ticks) texts.push_back(fmt::format("{:.{}g}", tick == 0 ? 0 : tick, digits));  // no -0
  return texts;
}

void draw_axes(Svg& svg, const Axes& axes, const std::string& x_name, const std::string& y_name, bool grid) {
  constexpr double kTick = 5;
  constexpr double kPixelsApart = 80;
  const double bottom = axes.top + axes.height;
  const std::vector<double> xs = round_ticks(axes.x_low, axes.x_high, axes.width / kPixelsApart);
  const std::vector<std::string> x_texts = tick_texts(xs);
  for (std::size_t i = 0; i < xs.size(); ++i) {
    const double at = axes.at(xs[i], 0).x;
    if (grid) svg.line({at, axes.top}, {at, bottom}, "stroke=\"#e4e4e4\"");
    svg.line({at, bottom}, {at, bottom + kTick}, "stroke=\"#444\"");
    svg.text({at, bottom + 19}, "class=\"x-tick\" text-anchor=\"middle\"", x_texts[i]);
  }
  const std::vector<double> ys = round_ticks(axes.y_low, axes.y_high, axes.height / (0.75 * kPixelsApart));
  const std::vector<std::string> y_texts = tick_texts(ys);
  for (std::size_t i = 0; i < ys.size(); ++i) {
    const double at = axes.at(0, ys[i]).y;
    if (grid) svg.line({axes.left, at}, {axes.left + axes.width, at}, "stroke=\"#e4e4e4\"");
    svg.line({axes.left - kTick, at}, {axes.left, at}, "stroke=\"#444\"");
    svg.text({axes.left - 9, at + 4.5}, "class=\"y-tick\" text-anchor=\"end\"", y_texts[i]);
  }
  svg.rect({axes.left, axes.top}, axes.width, axes.height, "fill=\"none\" stroke=\"#444\"");
  svg.text({axes.left + axes.width / 2, bottom + 42}, "text-anchor=\"middle\" font-size=\"14\"", x_name);
  const double middle = axes.top + axes.height / 2;
  svg.text({20, middle},
           fmt::format("text-anchor=\"middle\" font-size=\"14\" transform=\"rotate(-90 20 {:.2f})\"", middle), y_name);
}

}  // namespace lockstep
