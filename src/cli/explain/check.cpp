#include "cli/explain/check.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "cli/output.hpp"
#include "comm/communicator.hpp"
#include "core/json_text.hpp"
#include "core/number_text.hpp"
#include "explain/gradient_check.hpp"
#include "feed/chosen_samples.hpp"

namespace lockstep::cli {
namespace {

struct Wishes {
  double tolerance = 0;
  std::size_t most = 0;
};

// How many samples take a bearable time: each weight takes two forward passes through the layers behind it. It does not
// depend on the ranks, so that the numbers do not.
std::size_t most_samples(const ParameterTable& table, std::span<const WeightPlace> places) {
  constexpr double kMostProducts = 1e10;
  double products = 0;
  for (const WeightPlace& place : places) {
    products += 2 * static_cast<double>(table.arena_size() - table.entries()[place.parameter].range.end);
  }
  return static_cast<std::size_t>(std::clamp(kMostProducts / std::max(products, 1.0), 1.0, 32.0));
}

// That of --sample, or some evenly spread over the training data.
std::vector<std::uint32_t> samples_of(const CommandInput& input, std::size_t samples, std::size_t most) {
  if (input.options.count("sample") != 0) return {chosen_sample(input)};
  const std::size_t count = std::min(samples, most);
  std::vector<std::uint32_t> chosen;
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(static_cast<std::uint32_t>(i * samples / count));
  return chosen;
}

Wishes read_wishes(const CommandInput& input) {
  const auto tolerance = input.options["tolerance"].as<double>();
  if (!(tolerance > 0) || !std::isfinite(tolerance)) {
    throw Error(ErrorKind::usage, fmt::format("--tolerance: expected a number above 0, found {}", tolerance));
  }
  const auto most = input.options["most"].as<std::int64_t>();
  if (most < 1) throw Error(ErrorKind::usage, fmt::format("--most: expected a number of weights, found {}", most));
  return {tolerance, static_cast<std::size_t>(most)};
}

struct CheckResult {
  std::vector<ParameterCheck> parameters;
  std::size_t samples = 0, left_out = 0;
  double loss = 0, plain_loss = 0, slope_scale = 1;
  double tolerance = 0;
  [[nodiscard]] double loss_difference() const {
    const double least = 1e-3 * std::min(slope_scale, slope_scale * slope_scale);  // a loss below is rounding
    const double apart = std::abs(loss - plain_loss);
    return apart == 0 ? 0 : apart / std::max({std::abs(loss), std::abs(plain_loss), least});
  }
  [[nodiscard]] bool is_off(double difference) const { return !(difference <= tolerance); }  // NaN is
  [[nodiscard]] bool passes() const {
    return !is_off(loss_difference()) &&
           std::ranges::none_of(parameters, [this](const ParameterCheck& check) { return is_off(check.largest); });
  }
};

CheckResult run_check(const CommandInput& input, Subject& subject) {
  const Communicator& comm = *input.comm;
  Engine& engine = *subject.prepared.engine;
  const RunConfig& run = subject.prepared.run;
  Wishes wishes;
  std::vector<WeightPlace> places;
  ChosenSamples samples;
  std::optional<GradientCheck> check;
  engine.settle();
  comm.together([&] {
    const Dataset& data = subject.prepared.data.train;
    wishes = read_wishes(input);
    places = weights_to_check(engine.model(), wishes.most, static_cast<std::uint64_t>(run.seed));
    samples = read_samples(data, subject.prepared.data.normalization, engine.loss().targets(),
                           samples_of(input, data.samples(), most_samples(engine.model().parameters(), places)));
    const Pass pass{true, static_cast<std::uint64_t>(run.seed), static_cast<std::uint32_t>(engine.info.position.step),
                    samples.samples};
    check.emplace(run.model, engine.model(), engine.loss(), engine.weights(),
                  SampleRows{samples.x, samples.targets(), samples.samples}, pass, [&] { comm.pulse().beat(); });
  });
  const auto ranks = static_cast<std::size_t>(comm.size());
  std::vector<std::size_t> starts;
  for (std::size_t rank = 0; rank < ranks; ++rank) starts.push_back(2 * part_of(places.size(), rank, ranks).begin);
  starts.push_back(2 * places.size());
  std::vector<double> found(2 * places.size());  // [places, 2] value, whether at a kink
  const Range mine = part_of(places.size(), static_cast<std::size_t>(comm.rank()), ranks);
  for (std::size_t i = mine.begin; i < mine.end; ++i) {
    comm.pulse().beat();
    const CentralDifference central = check->central(places[i]);
    found[2 * i] = central.value;
    found[2 * i + 1] = central.at_kink ? 1 : 0;
  }
  comm.gather_parts(found, starts);
  std::vector<ComparedWeight> compared;
  for (std::size_t i = 0; i < places.size(); ++i) {
    compared.push_back({places[i], check->gradient(places[i]), {found[2 * i], found[2 * i + 1] != 0}});
  }
  return {.parameters = check_parameters(compared, check->slope_scale()),
          .samples = check->samples(),
          .left_out = check->left_out(),
          .loss = check->loss(),
          .plain_loss = check->plain_loss(),
          .slope_scale = check->slope_scale(),
          .tolerance = wishes.tolerance};
}

void print_json(const CheckResult& result, const ParameterTable& table, const std::string& subject) {
  nlohmann::ordered_json parameters = nlohmann::ordered_json::array();
  for (const ParameterCheck& check : result.parameters) {
    const Parameter& parameter = table.entries()[check.parameter];
    parameters.push_back({{"layer", parameter.layer},
                          {"name", parameter.name},
                          {"shape", parameter.shape},
                          {"checked", check.checked},
                          {"at_kinks", check.at_kinks},
                          {"largest_difference", check.largest},
                          {"weight", weight_name(table, check.place)},
                          {"gradient", check.gradient},
                          {"central_difference", check.central},
                          {"passes", !result.is_off(check.largest)}});
  }
  const nlohmann::ordered_json json{{"subject", subject},
                                    {"samples", result.samples},
                                    {"samples_at_kinks", result.left_out},
                                    {"loss", result.loss},
                                    {"plain_loss", result.plain_loss},
                                    {"loss_difference", result.loss_difference()},
                                    {"tolerance", result.tolerance},
                                    {"parameters", std::move(parameters)},
                                    {"passes", result.passes()}};
  tell_lines(json_text(json) + "\n");
}

void print_table(const CheckResult& result, const ParameterTable& table, const std::string& subject) {
  tell("{}: gradients of the mean loss over {}, against central differences\n\n", subject,
       count_text(result.samples, "sample"));
  static constexpr char kRow[] = "{:<13}{:>10}{:>8}{:>8} {:<14}{:>11}{:>11}{}\n";
  tell(kRow, "parameter", "shape", "checked", "off by", "at", "gradient", "central", "");
  std::size_t checked = 0, kinks = 0, off = 0;
  for (const ParameterCheck& check : result.parameters) {
    const Parameter& parameter = table.entries()[check.parameter];
    const bool is_off = result.is_off(check.largest);
    checked += check.checked;
    kinks += check.at_kinks;
    off += is_off ? 1 : 0;
    const std::string name = parameter.layer + "/" + parameter.name;
    const std::string at = weight_name(table, check.place);
    if (name.size() > 13 || at.size() > 14) tell("{}, at {}\n", name, at);
    tell(kRow, name.size() > 13 ? "" : name, fmt::format("{}", fmt::join(parameter.shape, "x")), check.checked,
         fmt::format("{:.1e}", check.largest), at.size() > 14 ? "" : at, fmt::format("{:.4g}", check.gradient),
         fmt::format("{:.4g}", check.central), is_off ? " OFF" : "");
  }
  tell("\nloss {:.7g}, in double {:.7g}: off by {:.1e}{}\n", result.loss, result.plain_loss, result.loss_difference(),
       result.is_off(result.loss_difference()) ? "  OFF" : "");
  if (kinks > 0) {
    tell("{} at kinks (of relu, say), where no difference shows a derivative\n", count_text(kinks, "weight"));
  }
  if (result.left_out > 0) tell("{} left out, at kinks\n", count_text(result.left_out, "sample"));
  if (off > 0) tell("{} of {} off\n", off, count_text(result.parameters.size(), "parameter"));
  tell("{}: {} of {} compared, tolerance {:.1e}\n", result.passes() ? "passed" : "FAILED", checked - kinks,
       count_text(table.count(), "weight"), result.tolerance);
}

}  // namespace

int explain_check(const CommandInput& input, Subject& subject) {
  const CheckResult result = run_check(input, subject);
  if (input.comm->is_root()) {
    const ParameterTable& table = subject.prepared.engine->model().parameters();
    if (input.options.count("json") != 0) {
      print_json(result, table, subject.name);
    } else {
      print_table(result, table, subject.name);
    }
  }
  return result.passes() ? 0 : 1;
}

}  // namespace lockstep::cli
