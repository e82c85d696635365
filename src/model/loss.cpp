#include "model/loss.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "lockstep/error.hpp"
#include "model/loss_types.hpp"

namespace lockstep {

double Loss::evaluate(std::size_t width, std::span<const float> outputs, const Targets& targets,
                      std::span<float> doutputs) const {
  if (targets.weights.empty() && !targets.may_miss) return evaluate_rows(width, outputs, targets, doutputs);
  const bool labels = this->targets() == TargetKind::labels;
  const std::size_t rows = checked_rows(this->targets(), width, outputs, targets, doutputs, outputs_per_target());
  const std::size_t columns = num_targets(width);
  if (!targets.weights.empty() && targets.weights.size() != rows) {
    throw Error(ErrorKind::usage, fmt::format("loss: {} rows with {} weights", rows, targets.weights.size()));
  }
  double sum = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const float weight = targets.weights.empty() ? 1.0F : targets.weights[row];
    const auto slopes = doutputs.subspan(row * width, width);
    if (weight == 0) {  // left out, whatever its loss
      std::ranges::fill(slopes, 0.0F);
      continue;
    }
    const Targets own{.labels = labels ? targets.labels.subspan(row, 1) : targets.labels,
                      .values = labels ? targets.values : targets.values.subspan(row * columns, columns),
                      .may_miss = targets.may_miss};
    sum += double{weight} * evaluate_row(outputs.subspan(row * width, width), own, slopes);
    for (float& slope : slopes) slope *= weight;
  }
  return sum;
}

double Loss::evaluate_row(std::span<const float> outputs, const Targets& targets, std::span<float> doutputs) const {
  const bool misses = targets.may_miss && std::ranges::any_of(targets.values, [](float t) { return std::isnan(t); });
  if (!misses) return evaluate_rows(outputs.size(), outputs, targets, doutputs);
  const std::size_t each = outputs_per_target();
  const auto columns = static_cast<double>(targets.values.size());
  double sum = 0;
  for (std::size_t i = 0; i < targets.values.size(); ++i) {
    const auto slopes = doutputs.subspan(i * each, each);
    if (std::isnan(targets.values[i])) {
      std::ranges::fill(slopes, 0.0F);
      continue;
    }
    sum += evaluate_target(i, outputs.subspan(i * each, each), targets.values[i], slopes);
    for (float& slope : slopes) slope = static_cast<float>(slope / columns);
  }
  return sum / columns;
}

double Loss::evaluate_target(std::size_t /*index*/, std::span<const float> /*outputs*/, float /*target*/,
                             std::span<float> /*doutputs*/) const {
  throw Error(ErrorKind::usage, "loss: no targets of this loss can be missing");
}

void Loss::answer(std::span<const float> outputs, std::span<double> answers) const {
  std::ranges::copy(outputs, answers.begin());
}

RowWeights Loss::weigh(std::size_t rows, const Targets& targets) const {
  const std::span<const double> of_class = class_weights();
  if (targets.weights.empty() && !targets.may_miss) {
    if (of_class.empty()) return {.sum = static_cast<double>(rows), .size = static_cast<double>(rows)};
    double sum = 0;
    for (const std::int32_t label : targets.labels) sum += of_class[static_cast<std::size_t>(label)];
    return {.sum = sum, .size = sum};
  }
  RowWeights found;
  const std::size_t columns = rows == 0 ? 0 : targets.values.size() / rows;
  for (std::size_t row = 0; row < rows; ++row) {
    double weight = targets.weights.empty() ? 1.0 : targets.weights[row];
    if (!of_class.empty()) weight *= of_class[static_cast<std::size_t>(targets.labels[row])];
    if (targets.may_miss && columns > 0) {
      const auto missing =
          std::ranges::count_if(targets.values.subspan(row * columns, columns), [](float t) { return std::isnan(t); });
      weight *= (static_cast<double>(columns) - static_cast<double>(missing)) / static_cast<double>(columns);
    }
    found.sum += weight;
    found.size += std::abs(weight);
  }
  return found;
}

std::size_t checked_rows(TargetKind kind, std::size_t width, std::span<const float> outputs, const Targets& targets,
                         std::span<const float> doutputs, std::size_t outputs_per_target) {
  const bool labels = kind == TargetKind::labels;
  const std::size_t rows = width == 0 ? 0 : outputs.size() / width;
  const std::size_t found = labels ? targets.labels.size() : targets.values.size();
  const std::size_t expected = labels ? rows : outputs.size() / outputs_per_target;
  if (rows * width != outputs.size() || found != expected || doutputs.size() != outputs.size()) {
    throw Error(
        ErrorKind::usage,
        fmt::format("loss: {} outputs of width {} need {} {} and {} gradients, found {} and {}", outputs.size(), width,
                    expected, labels ? "labels" : "target values", outputs.size(), found, doutputs.size()));
  }
  return rows;
}

}  // namespace lockstep
