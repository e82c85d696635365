#include "report/axes.hpp"

#include <fmt/format.h>

#include <cmath>

namespace lockstep {

std::vector<double> round_ticks(double low, double high, double wanted) {
  const double raw = (high - low) / wanted;
  if (!(raw > 0) || !std::isfinite(raw)) return {};
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double step = (raw > 7 * power ? 10 : raw > 3 * power ? 5 : raw > 1.5 * power ? 2 : 1) * power;
  std::vector<double> ticks;
  constexpr double kSlack = 1e-9;  // of a step: both ends belong to it
  for (double i = std::ceil(low / step - kSlack); i * step <= high + kSlack * step; ++i) ticks.push_back(i * step);
  return ticks;
}

std::string tick_text(double value) {
  const std::string text = fmt::format("{:.6g}", value);
  return text == "-0" ? "0" : text;
}

void draw_axes(Svg& svg, const Axes& axes, const std::string& x_name, const std::string& y_name, bool grid) {
  constexpr double kTick = 5;
  constexpr double kPixelsApart = 80;
  const double bottom = axes.top + axes.height;
  for (const double x : round_ticks(axes.x_low, axes.x_high, axes.width / kPixelsApart)) {
    const double at = axes.at(x, 0).x;
    if (grid) svg.line({at, axes.top}, {at, bottom}, "stroke=\"#e4e4e4\"");
    svg.line({at, bottom}, {at, bottom + kTick}, "stroke=\"#444\"");
    svg.text({at, bottom + 19}, "class=\"x-tick\" text-anchor=\"middle\"", tick_text(x));
  }
  for (const double y : round_ticks(axes.y_low, axes.y_high, axes.height / (0.75 * kPixelsApart))) {
    const double at = axes.at(0, y).y;
    if (grid) svg.line({axes.left, at}, {axes.left + axes.width, at}, "stroke=\"#e4e4e4\"");
    svg.line({axes.left - kTick, at}, {axes.left, at}, "stroke=\"#444\"");
    svg.text({axes.left - 9, at + 4.5}, "class=\"y-tick\" text-anchor=\"end\"", tick_text(y));
  }
  svg.rect({axes.left, axes.top}, axes.width, axes.height, "fill=\"none\" stroke=\"#444\"");
  svg.text({axes.left + axes.width / 2, bottom + 42}, "text-anchor=\"middle\" font-size=\"14\"", x_name);
  const double middle = axes.top + axes.height / 2;
  svg.text({20, middle},
           fmt::format("text-anchor=\"middle\" font-size=\"14\" transform=\"rotate(-90 20 {:.2f})\"", middle), y_name);
}

}  // namespace lockstep
