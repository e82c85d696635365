// lockstep landscape: the cost over one or two weights, and gradient descent on it.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "cli/console.hpp"
#include "cli/landscape/output.hpp"
#include "cli/output.hpp"
#include "cli/ranks.hpp"
#include "cli/subject.hpp"
#include "comm/communicator.hpp"
#include "core/number_text.hpp"
#include "core/weight_name.hpp"
#include "lockstep/error.hpp"
#include "score/landscape.hpp"

namespace lockstep::cli {
namespace {

constexpr std::int64_t kMostPoints = 1'000'001;  // of one weight, a row or column of two has a thousandth
constexpr std::int64_t kMostSteps = 1'000'000;

struct Bounds {
  double low = 0;
  double high = 0;
};

// What the options say, as far as it can be known without the net.
struct Wanted {
  std::vector<std::string> names;
  std::vector<std::optional<Bounds>> ranges;  // one a weight
  std::optional<double> span;
  std::vector<double> from;  // empty: the weights' values
  std::optional<double> lr;
  std::size_t points = 0;
  std::size_t steps = 0;
};

std::string text_option(const CommandInput& input, const char* name) {
  return input.options.count(name) == 0 ? "" : input.options[name].as<std::string>();
}

// `text` as numbers between `separator`s.
std::vector<double> numbers_of(const std::string& text, char separator, std::size_t count, const std::string& where) {
  std::vector<double> numbers;
  std::string_view rest = text;
  while (true) {
    const std::string_view word = rest.substr(0, rest.find(separator));
    double value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size() || !std::isfinite(value)) break;
    numbers.push_back(value);
    if (word.size() == rest.size()) {
      if (numbers.size() == count) return numbers;
      break;
    }
    rest.remove_prefix(word.size() + 1);
  }
  const std::string between = count == 1 ? "" : fmt::format(" with {} in between", separator);
  throw Error(ErrorKind::usage,
              fmt::format("{}: expected {}{}, found \"{}\"", where, count_text(count, "number"), between, text));
}

std::optional<Bounds> bounds_option(const CommandInput& input, const char* name) {
  if (input.options.count(name) == 0) return std::nullopt;
  const auto numbers = numbers_of(text_option(input, name), ':', 2, fmt::format("--{}", name));
  if (!(numbers[0] < numbers[1])) {
    throw Error(ErrorKind::usage,
                fmt::format("--{}: expected LOW below HIGH, found {}", name, text_option(input, name)));
  }
  return Bounds{.low = numbers[0], .high = numbers[1]};
}

std::optional<double> positive_option(const CommandInput& input, const char* name) {
  if (input.options.count(name) == 0) return std::nullopt;
  const auto value = input.options[name].as<double>();
  if (!(value > 0 && std::isfinite(value))) {
    throw Error(ErrorKind::usage, fmt::format("--{}: expected a number above 0, found {}", name, number_text(value)));
  }
  return value;
}

std::int64_t count_option(const CommandInput& input, const char* name, std::int64_t fallback, Range allowed) {
  if (input.options.count(name) == 0) return fallback;
  const auto value = input.options[name].as<std::int64_t>();
  if (value < static_cast<std::int64_t>(allowed.begin) || value > static_cast<std::int64_t>(allowed.end)) {
    throw Error(ErrorKind::usage,
                fmt::format("--{}: expected {} to {}, found {}", name, allowed.begin, allowed.end, value));
  }
  return value;
}

Wanted read_wanted(const CommandInput& input) {
  Wanted wanted;
  wanted.names.push_back(text_option(input, "weight"));
  if (wanted.names[0].empty()) {
    throw Error(ErrorKind::usage,
                "landscape: --weight NAME[I,J] is needed, such as dense1[0,0]; see lockstep "
                "landscape --help");
  }
  wanted.ranges.push_back(bounds_option(input, "range"));
  const bool two = input.options.count("and") != 0;
  if (two) {
    wanted.names.push_back(text_option(input, "and"));
    wanted.ranges.push_back(bounds_option(input, "and-range"));
  } else if (input.options.count("and-range") != 0) {
    throw Error(ErrorKind::usage, "--and-range: there is no second weight; name it with --and");
  }
  wanted.span = positive_option(input, "span");
  if (wanted.span && std::ranges::all_of(wanted.ranges, [](const auto& range) { return range.has_value(); })) {
    throw Error(ErrorKind::usage, "--span: the range is given already, by --range");
  }
  wanted.lr = positive_option(input, "lr");
  if (input.options.count("from") != 0)
    wanted.from = numbers_of(text_option(input, "from"), ',', two ? 2 : 1, "--from");
  const auto most = static_cast<std::size_t>(two ? kMostPoints / 1000 : kMostPoints);
  wanted.points = static_cast<std::size_t>(count_option(input, "points", two ? 61 : 101, {3, most}));
  wanted.steps = static_cast<std::size_t>(count_option(input, "steps", 20, {0, kMostSteps}));
  return wanted;
}

// Half a range where nobody says one: enough to change the weight's sign.
double default_span(float weight) {
  return std::max(1.0, 2 * std::abs(static_cast<double>(weight)));
}

// The weights' places in the arena, and their full names into `report`.
std::vector<std::size_t> find_weights(const Wanted& wanted, const Model& model, LandscapeReport& report) {
  std::vector<std::size_t> elements;
  for (const std::string& name : wanted.names) {
    const WeightPlace place = find_weight(model.parameters(), name, elements.empty() ? "--weight" : "--and");
    if (!elements.empty() && elements[0] == place.element) {
      throw Error(ErrorKind::usage, fmt::format("--and: {} is the weight of --weight; name another", name));
    }
    elements.push_back(place.element);
    report.weights.push_back(weight_name(model.parameters(), place));
    report.frozen.push_back(!model.trained()[place.parameter]);
  }
  return elements;
}

void set_axes(const Wanted& wanted, const WeightPoint& here, LandscapeReport& report) {
  for (std::size_t i = 0; i < wanted.names.size(); ++i) {
    const double span = wanted.span.value_or(default_span(here[i]));
    const auto at = written(here[i]);
    const Bounds bounds = wanted.ranges[i].value_or(Bounds{.low = at - span, .high = at + span});
    (i == 0 ? report.x : report.y) = axis_points(bounds.low, bounds.high, wanted.points);
  }
}

// A model whose backward pass finds the gradients of the shown weights' layers alone, frozen in the run or not.
Model model_of_shown(const RunConfig& run, const Model& model, std::span<const std::size_t> elements) {
  ModelConfig config = run.model;
  config.freeze.clear();
  std::vector<std::string> shown;
  for (const Parameter& parameter : model.parameters().entries()) {
    if (std::ranges::any_of(elements, [&](std::size_t element) { return parameter.range.contains(element); })) {
      shown.push_back(parameter.layer);
    }
  }
  for (const Parameter& parameter : model.parameters().entries()) {
    if (std::ranges::find(shown, parameter.layer) == shown.end()) config.freeze.push_back(parameter.layer);
  }
  return {config, model.inputs(), model.compute()};
}

}  // namespace

int run_landscape(const CommandInput& input) {
  const Communicator& comm = *input.comm;
  Wanted wanted;
  OutputFiles files;
  comm.together([&] {
    wanted = read_wanted(input);
    files = OutputFiles(input.options["output"].as<std::string>());
    if (comm.is_root()) files.check(input.options.count("overwrite") != 0);
  });
  Subject subject = open_subject(input, true);
  PreparedRun& prepared = subject.prepared;
  Engine& engine = *prepared.engine;
  engine.settle();
  LandscapeReport report;
  report.subject = subject.name;
  report.run = prepared.run.name;
  report.step = prepared.info().position.step;
  report.loss = prepared.run.model.loss.type;
  report.samples = prepared.data.train_samples();
  report.normalised = !prepared.data.normalization.y.empty();
  report.lr = wanted.lr.value_or(*prepared.run.optimizer.lr);
  std::vector<std::size_t> elements;
  std::optional<Model> model;
  comm.together([&] {
    elements = find_weights(wanted, engine.model(), report);
    model = model_of_shown(prepared.run, engine.model(), elements);
  });
  ConsoleProgress progress(!comm.is_root());
  CostSurface surface(comm, {*model, engine.loss(), engine.weights()},
                      {prepared.data.train, prepared.data.normalization, prepared.data.split.train}, elements,
                      [&](std::size_t done, std::size_t all) { progress.on_work(done, all, "passes of rank 0"); });
  comm.together([&] { set_axes(wanted, surface.here(), report); });
  report.here = surface.point(surface.here());
  report.grid = cost_grid(surface, report.x, report.y);
  report.minimum = find_minimum(surface, report.grid, report.x, report.y);
  WeightPoint from = surface.here();
  for (std::size_t i = 0; i < wanted.from.size(); ++i) from[i] = static_cast<float>(wanted.from[i]);
  report.steps = wanted.steps;
  report.ball = roll_down(surface, from, report.lr, wanted.steps);
  progress.clear();
  comm.at_root([&] { write_landscape(report, files, [&] { comm.pulse().beat(); }); });
  if (comm.is_root()) {
    tell_lines(input.options.count("json") != 0 ? landscape_json(report, files) : landscape_text(report, files));
  }
  return 0;
}

}  // namespace lockstep::cli
