#include "report/svg.hpp"

#include <fmt/format.h>

#include "report/page_file.hpp"

namespace lockstep {
namespace {

// Hundredths of a pixel.
std::string number(double value) {
  std::string text = fmt::format("{:.2f}", value);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string pair(const SvgPoint& point) {
  return number(point.x) + "," + number(point.y);
}

}  // namespace

Svg::Svg(double width, double height, std::string_view title) {
  text_ = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n<title>{2}</title>\n",
      number(width), number(height), markup_text(title));
  rect({0, 0}, width, height, "fill=\"#fff\"");
}

void Svg::rect(SvgPoint corner, double width, double height, std::string_view attributes) {
  text_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" {}/>\n", number(corner.x), number(corner.y),
                       number(width), number(height), attributes);
}

void Svg::line(SvgPoint from, SvgPoint to, std::string_view attributes) {
  text_ += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" {}/>\n", number(from.x), number(from.y),
                       number(to.x), number(to.y), attributes);
}

void Svg::circle(SvgPoint center, double radius, std::string_view attributes, std::string_view tip) {
  text_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" {}", number(center.x), number(center.y), number(radius),
                       attributes);
  text_ += tip.empty() ? "/>\n" : fmt::format("><title>{}</title></circle>\n", markup_text(tip));
}

void Svg::polyline(std::span<const SvgPoint> points, std::string_view attributes) {
  text_ += "<polyline points=\"";
  for (const SvgPoint& point : points) text_ += (&point == points.data() ? "" : " ") + pair(point);
  text_ += fmt::format("\" fill=\"none\" {}/>\n", attributes);
}

void Svg::loops(std::span<const std::vector<SvgPoint>> loops, std::string_view attributes) {
  text_ += "<path d=\"";
  for (const auto& loop : loops) {
    for (const SvgPoint& point : loop) text_ += (&point == loop.data() ? "M" : " ") + pair(point);
    text_ += "Z";
  }
  text_ += fmt::format("\" fill-rule=\"evenodd\" {}/>\n", attributes);
}

void Svg::text(SvgPoint at, std::string_view attributes, std::string_view text) {
  text_ +=
      fmt::format("<text x=\"{}\" y=\"{}\" {}>{}</text>\n", number(at.x), number(at.y), attributes, markup_text(text));
}

void Svg::open(std::string_view attributes) {
  text_ += fmt::format("<g {}>\n", attributes);
}

void Svg::close() {
  text_ += "</g>\n";
}

void Svg::clip(std::string_view name, SvgPoint corner, double width, double height) {
  text_ += fmt::format("<clipPath id=\"{}\">", name);
  rect(corner, width, height, "");
  text_ += "</clipPath>\n";
}

}  // namespace lockstep
