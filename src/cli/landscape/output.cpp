#include "cli/landscape/output.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/json_text.hpp"
#include "core/number_text.hpp"
#include "core/visible_text.hpp"
#include "io/files.hpp"
#include "lockstep/error.hpp"
#include "report/landscape_figure.hpp"

namespace lockstep::cli {
namespace {

std::string weight_text(float weight) {
  return number_text(written(weight));
}

// Seven digits, as a person needs them.
std::string place_text(const LandscapeReport& report, const WeightPoint& at) {
  const std::string first = fmt::format("{:.7g}", written(at[0]));
  return report.y.empty() ? first : fmt::format("({}, {:.7g})", first, written(at[1]));
}

bool inside(const LandscapeReport& report, const CostPoint& point) {
  const auto within = [](const std::vector<float>& axis, float at) { return at >= axis.front() && at <= axis.back(); };
  return within(report.x, point.at[0]) && (report.y.empty() || within(report.y, point.at[1]));
}

std::size_t count_outside(const LandscapeReport& report) {
  return static_cast<std::size_t>(
      std::ranges::count_if(report.ball, [&](const CostPoint& point) { return !inside(report, point); }));
}

std::size_t count_gaps(const LandscapeReport& report) {
  return static_cast<std::size_t>(
      std::ranges::count_if(report.grid, [](const CostPoint& point) { return !std::isfinite(point.cost); }));
}

// Rows of CSV: the place, the cost, and the slopes where `slopes` says so.
std::string csv_columns(const LandscapeReport& report, bool slopes) {
  const bool two = !report.y.empty();
  return fmt::format("weight{},cost{}{}\n", two ? ",and" : "", slopes ? ",slope" : "",
                     slopes && two ? ",and_slope" : "");
}

std::string csv_row(const LandscapeReport& report, const CostPoint& point, bool slopes) {
  const bool two = !report.y.empty();
  std::string row = weight_text(point.at[0]);
  if (two) row += "," + weight_text(point.at[1]);
  row += "," + number_text(point.cost);
  if (slopes) row += "," + number_text(point.slope[0]);
  if (slopes && two) row += "," + number_text(point.slope[1]);
  return row + "\n";
}

std::string grid_csv(const LandscapeReport& report) {
  std::string csv = csv_columns(report, report.y.empty());
  for (const CostPoint& point : report.grid) csv += csv_row(report, point, report.y.empty());
  return csv;
}

std::string steps_csv(const LandscapeReport& report) {
  std::string csv = "step," + csv_columns(report, true);
  for (std::size_t step = 0; step < report.ball.size(); ++step) {
    csv += fmt::format("{},{}", step, csv_row(report, report.ball[step], true));
  }
  return csv;
}

LandscapeFigure figure_of(const LandscapeReport& report) {
  const auto mark = [](const CostPoint& point) {
    return LandscapeFigure::Mark{written(point.at[0]), written(point.at[1]), point.cost};
  };
  LandscapeFigure figure;
  figure.weights = report.weights;
  figure.title = fmt::format("Cost over {}", fmt::join(report.weights, " and "));
  figure.subtitle = fmt::format("{}, step {}: {} over {}", report.run, report.step, report.loss,
                                count_text(report.samples, "sample"));
  std::ranges::transform(report.x, std::back_inserter(figure.x), written);
  std::ranges::transform(report.y, std::back_inserter(figure.y), written);
  for (const CostPoint& point : report.grid) figure.costs.push_back(point.cost);
  for (const CostPoint& point : report.ball) figure.ball.push_back(mark(point));
  figure.lr = report.lr;
  figure.slope = report.ball.front().slope[0];
  if (report.minimum.found && !report.minimum.flat) figure.minimum = mark(report.minimum.point);
  figure.on_border = report.minimum.on_border;
  return figure;
}

// A row of the table for people: what, where, the cost and, of one weight, the slope.
std::string row(const LandscapeReport& report, const std::string& what, const CostPoint& point) {
  const std::string slope = report.y.empty() ? fmt::format("{:.7g}", point.slope[0]) : "";
  const std::string text =
      fmt::format("{:<22}{:<27} {:<13.7g} {}", what, place_text(report, point.at), point.cost, slope);
  return text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
}

std::string ball_text(const LandscapeReport& report) {
  const std::size_t steps = report.ball.size() - 1;
  const CostPoint& end = report.ball.back();
  std::string text = row(report, "start of descent", report.ball.front());
  text += row(report, "after " + count_text(steps, "step"), end);
  text += fmt::format("(a step: w -= {:.7g} * slope)\n", report.lr);
  if (!end.finite()) text += "descent ends where cost or slope is not finite; lower --lr\n";
  if (const std::size_t outside = count_outside(report); outside > 0) {
    text += fmt::format("{} of its {} places lie outside of the range, so not in the picture\n", outside,
                        report.ball.size());
  }
  return text;
}

std::string minimum_text(const LandscapeReport& report) {
  if (!report.minimum.found) return "minimum: none, no cost in the range is finite\n";
  const CostPoint& point = report.minimum.point;
  if (report.minimum.flat) {
    return fmt::format("minimum: none, the cost is {:.7g} everywhere in the range\n", point.cost);
  }
  if (!report.minimum.on_border) return row(report, "minimum", point);
  return row(report, "lowest", point) +
         fmt::format("{:<22}on the border of the range: widen it (--span, --range)\n", "");
}

nlohmann::ordered_json json_of(const LandscapeReport& report, const CostPoint& point) {
  nlohmann::ordered_json json;
  json["weight"] = written(point.at[0]);
  if (!report.y.empty()) json["and"] = written(point.at[1]);
  json["cost"] = point.cost;
  json["slope"] = point.slope[0];
  if (!report.y.empty()) json["and_slope"] = point.slope[1];
  return json;
}

}  // namespace

double written(float weight) {
  return std::strtod(fmt::format("{}", weight).c_str(), nullptr);
}

OutputFiles::OutputFiles(const std::string& prefix)
    : grid(prefix + ".csv"), steps(prefix + "-steps.csv"), picture(prefix + ".svg") {
  if (prefix.empty() || prefix.ends_with('/')) {
    throw Error(ErrorKind::usage,
                fmt::format("--output: expected the beginning of a file's name, found \"{}\"", prefix));
  }
}

void OutputFiles::check(bool overwrite) const {
  std::error_code ignored;
  for (const std::string& file : {grid, steps, picture}) {
    const std::filesystem::path path(file);
    const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
    if (!std::filesystem::is_directory(folder, ignored)) {
      throw Error(ErrorKind::usage, fmt::format("--output: there is no folder {}", folder.string()));
    }
    if (std::filesystem::exists(path, ignored) && !overwrite) {
      throw Error(ErrorKind::usage, fmt::format("{} is there already; give --overwrite to replace it", file));
    }
  }
}

void write_landscape(const LandscapeReport& report, const OutputFiles& files, const std::function<void()>& alive) {
  const auto write = [&](const std::string& file, const std::string& text) {
    const std::array<std::span<const std::byte>, 1> parts{std::as_bytes(std::span(text))};
    write_file_atomically(file, parts, alive);
  };
  write(files.grid, grid_csv(report));
  write(files.steps, steps_csv(report));
  write(files.picture, landscape_svg(figure_of(report)));
}

std::string landscape_text(const LandscapeReport& report, const OutputFiles& files) {
  std::string text = fmt::format("{} (step {}): {} over {}{}\n", visible(report.subject), report.step, report.loss,
                                 count_text(report.samples, "sample"),
                                 report.normalised ? ", in units of the normalised targets" : "");
  for (std::size_t i = 0; i < report.weights.size(); ++i) {
    const auto& axis = i == 0 ? report.x : report.y;
    text += fmt::format("{} {} from {} to {}, {} points\n", i == 0 ? "over" : " and", report.weights[i], axis.front(),
                        axis.back(), axis.size());
    if (report.frozen[i]) text += "     (its layer is frozen in this run)\n";
  }
  std::string names = fmt::format("{}", fmt::join(report.weights, ", "));
  if (names.size() > 27) names = report.y.empty() ? "weight" : "weights";
  text += fmt::format("\n{:<22}{:<28}{}\n", "", names, report.y.empty() ? "cost          slope" : "cost");
  text += row(report, "the net", report.here) + minimum_text(report);
  if (report.steps > 0) text += ball_text(report);
  if (const std::size_t gaps = count_gaps(report); gaps > 0) {
    text += fmt::format("gaps: {} of {} costs are not finite\n", gaps, report.grid.size());
  }
  return text + fmt::format("\nfiles: {}, {}, {}\n", visible(files.picture), visible(files.grid), visible(files.steps));
}

std::string landscape_json(const LandscapeReport& report, const OutputFiles& files) {
  nlohmann::ordered_json json;
  json["subject"] = report.subject;
  json["run"] = report.run;
  json["step"] = report.step;
  json["loss"] = report.loss;
  json["samples"] = report.samples;
  json["normalised_targets"] = report.normalised;
  for (std::size_t i = 0; i < report.weights.size(); ++i) {
    const auto& axis = i == 0 ? report.x : report.y;
    json[i == 0 ? "weight" : "and"] = {{"name", report.weights[i]},
                                       {"frozen", static_cast<bool>(report.frozen[i])},
                                       {"low", written(axis.front())},
                                       {"high", written(axis.back())},
                                       {"points", axis.size()}};
  }
  json["net"] = json_of(report, report.here);
  json["not_finite"] = count_gaps(report);
  json["minimum"] = nullptr;
  if (report.minimum.found && !report.minimum.flat) json["minimum"] = json_of(report, report.minimum.point);
  json["flat"] = report.minimum.flat;
  json["on_border"] = report.minimum.on_border;
  json["lr"] = report.lr;
  json["steps"] = report.ball.size() - 1;
  json["outside"] = count_outside(report);
  json["end"] = json_of(report, report.ball.back());
  json["files"] = {files.picture, files.grid, files.steps};
  return json_text(json) + "\n";
}

}  // namespace lockstep::cli
