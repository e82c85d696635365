#include "explain/gradient_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/random.hpp"
#include "lockstep/error.hpp"

namespace lockstep {

GradientCheck::GradientCheck(const ModelConfig& config, const Model& model, const Loss& loss,
                             std::span<const float> weights, const SampleRows& rows, const Pass& pass,
                             const std::function<void()>& alive)
    : net_(config, model), may_miss_(rows.targets.may_miss), gradient_(model.parameters().arena_size()) {
  const PlainPass plain_pass{pass.seed, pass.step, 0, 0};
  const std::size_t inputs = model.inputs();
  Workspace workspace = model.make_workspace(rows.size(), true);
  std::ranges::copy(rows.x, workspace.input(rows.size()).begin());
  const Pass all{pass.training, pass.seed, pass.step, rows.samples};

  // On which sides training is.
  std::vector<std::vector<bool>> sides(rows.size());
  const auto add_sides = [&](std::size_t layer, std::span<const float> values) {
    const std::size_t width = values.size() / rows.size();
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const auto of_row = values.subspan(row * width, width);
      const std::vector<double> x(of_row.begin(), of_row.end());
      if (layer < net_.num_layers()) net_.layer(layer).add_sides(x, sides[row]);
      if (layer == net_.num_layers()) net_.loss().add_sides(x, net_.target(rows, row), sides[row]);
    }
  };
  add_sides(0, rows.x);
  (void)model.forward(all, weights, rows.size(), workspace,
                      [&](std::size_t layer, std::span<const float> outputs) { add_sides(layer + 1, outputs); });
  {  // holds a copy of all weights
    const CentralDifferences of_all(net_, weights, rows, plain_pass, 1, alive);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (sides[row] == of_all.sides(row)) keep(rows, inputs, row);
    }
  }
  left_out_ = rows.size() - samples_.size();
  const SampleRows kept = this->kept();
  const double weight = loss.weigh(kept.size(), kept.targets).size;
  if (!(weight > 0)) {
    throw Error(ErrorKind::config, left_out_ == rows.size()
                                       ? "explain --check: every sample lies at a kink of the net; take other samples"
                                       : "explain --check: all samples, or their classes, have weight 0");
  }

  std::ranges::copy(kept.x, workspace.input(kept.size()).begin());
  const Pass of_kept{pass.training, pass.seed, pass.step, kept.samples};
  const auto outputs = model.forward(of_kept, weights, kept.size(), workspace);
  loss_ = loss.evaluate(model.outputs(), outputs, kept.targets, workspace.doutputs(kept.size())) / weight;
  if (loss.task() == Task::regression) {
    slope_scale_ = 0;
    for (const float value : outputs) slope_scale_ = std::max(slope_scale_, std::abs(double{value}));
    for (const float value : kept.targets.values) slope_scale_ = std::max(slope_scale_, std::abs(double{value}));
  }
  model.backward(of_kept, weights, kept.size(), workspace, gradient_.view(), {});
  for (float& value : gradient_.view()) value = static_cast<float>(value / weight);
  central_.emplace(net_, weights, kept, plain_pass, weight, alive);
}

void GradientCheck::keep(const SampleRows& rows, std::size_t inputs, std::size_t row) {
  const auto add = [row]<class T>(std::span<const T> from, std::size_t width, std::vector<T>& to) {
    const auto part = from.subspan(row * width, width);
    to.insert(to.end(), part.begin(), part.end());
  };
  add(rows.x, inputs, x_);
  add(rows.samples, 1, samples_);
  if (!rows.targets.weights.empty()) add(rows.targets.weights, 1, weights_);
  if (!rows.targets.labels.empty()) add(rows.targets.labels, 1, labels_);
  if (!rows.targets.values.empty()) add(rows.targets.values, rows.targets.values.size() / rows.size(), values_);
}

SampleRows GradientCheck::kept() const {
  return {x_, {labels_, values_, weights_, may_miss_}, samples_};
}

std::vector<WeightPlace> weights_to_check(const Model& model, std::size_t most, std::uint64_t seed) {
  std::vector<WeightPlace> places;
  for (std::size_t parameter = 0; parameter < model.parameters().entries().size(); ++parameter) {
    const Parameter& entry = model.parameters().entries()[parameter];
    if (!model.trained()[parameter] || entry.kind == ParameterKind::running) continue;
    const Range range = entry.range;
    std::vector<std::uint32_t> elements(range.size());
    std::iota(elements.begin(), elements.end(), 0U);
    if (range.size() > most) {
      fill_permutation({seed, RandomPurpose::check, static_cast<std::uint32_t>(parameter), 0, 0}, elements);
      elements.resize(most);
      std::ranges::sort(elements);
    }
    for (const std::uint32_t element : elements)
      places.push_back({.parameter = parameter, .element = range.begin + element});
  }
  return places;
}

std::vector<ParameterCheck> check_parameters(std::span<const ComparedWeight> weights, double slope_scale) {
  std::vector<ParameterCheck> checks;
  for (std::size_t begin = 0, end = 0; begin < weights.size(); begin = end) {
    ParameterCheck check{.parameter = weights[begin].place.parameter, .place = weights[begin].place};
    double squares = 0;
    for (; end < weights.size() && weights[end].place.parameter == check.parameter; ++end) {
      const CentralDifference& central = weights[end].central;
      ++check.checked;
      check.at_kinks += central.at_kink ? 1 : 0;
      squares += central.at_kink ? 0 : central.value * central.value;
    }
    const std::size_t compared = check.checked - check.at_kinks;
    const double mean = compared == 0 ? 0 : std::sqrt(squares / static_cast<double>(compared));
    const double least = std::max(mean, 1e-3 * slope_scale);
    bool first = true;
    for (const ComparedWeight& weight : weights.subspan(begin, end - begin)) {
      if (weight.central.at_kink) continue;
      const double scale = std::max({least, std::abs(weight.gradient), std::abs(weight.central.value)});
      const double apart = std::abs(weight.gradient - weight.central.value);
      const double difference = apart == 0 ? 0 : apart / scale;
      if (!first && !(difference > check.largest) && !std::isnan(difference)) continue;
      first = false;
      check.largest = difference;
      check.place = weight.place;
      check.gradient = weight.gradient;
      check.central = weight.central.value;
    }
    checks.push_back(check);
  }
  return checks;
}

}  // namespace lockstep
