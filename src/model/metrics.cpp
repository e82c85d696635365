// Sums and counts of a block, and the scores that their totals give.
//
// Layout, after sums[0] = loss:
//   regression      sums: per output SSE, sum of |error|, sum of targets, sum of squared targets, in the net's units
//   binary          counts: right outputs; with one output then the class counts of two classes
//   classification  counts: right, right among five, class counts
//   class counts    labels of each class, right of each class, confusion
#include "model/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kSumsAnOutput = 4;
constexpr std::size_t kTop = 5;

void expect_size(std::size_t found, std::size_t expected, const char* what) {
  if (found == expected) return;
  throw Error(ErrorKind::usage, fmt::format("metrics: expected {} {}, found {}", expected, what, found));
}

bool has_confusion(std::size_t classes) {
  return classes <= Metrics::kMaxConfusion;
}

// A row's answer is its first largest output; a row with a NaN has none.
std::optional<std::size_t> answer_of(std::span<const float> row) {
  if (std::any_of(row.begin(), row.end(), [](float value) { return std::isnan(value); })) return std::nullopt;
  return static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

// Whether fewer than kTop outputs come before the label's; of equal ones the lower index comes first.
bool among_top(std::span<const float> row, std::size_t label) {
  std::size_t before = 0;
  for (std::size_t j = 0; j < row.size(); ++j) {
    if (row[j] > row[label] || (row[j] == row[label] && j < label)) ++before;
  }
  return before < kTop;
}

void count_classes(std::size_t classes, std::span<const float> outputs, std::span<const std::int32_t> labels,
                   std::span<std::int64_t> counts) {
  const auto label_counts = counts.subspan(2, classes);
  const auto right_counts = counts.subspan(2 + classes, classes);
  const auto confusion = counts.subspan(2 + 2 * classes);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = outputs.subspan(i * classes, classes);
    const auto label = static_cast<std::size_t>(labels[i]);
    ++label_counts[label];
    const auto answer = answer_of(row);
    if (!answer) continue;
    if (!confusion.empty()) ++confusion[label * classes + *answer];
    if (among_top(row, label)) ++counts[1];
    if (*answer == label) {
      ++counts[0];
      ++right_counts[label];
    }
  }
}

// Class counts of one output and its targets; shapes: logits, values [n].
void count_two_classes(std::span<const float> logits, std::span<const float> values, std::span<std::int64_t> counts) {
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const std::size_t label = values[i] > 0.5F ? 1 : 0;
    ++counts[label];
    if (std::isnan(logits[i])) continue;
    const std::size_t answer = logits[i] > 0.0F ? 1 : 0;
    if (answer == label) ++counts[2 + label];
    ++counts[4 + 2 * label + answer];
  }
}

std::int64_t count_right_outputs(std::span<const float> logits, std::span<const float> values) {
  std::int64_t right = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!std::isnan(logits[i]) && (logits[i] > 0.0F) == (values[i] > 0.5F)) ++right;
  }
  return right;
}

// The sums of all outputs run side by side, each in the order of the rows.
void sum_errors(std::size_t width, std::span<const float> outputs, std::span<const float> values,
                std::span<double> sums) {
  std::fill(sums.begin(), sums.end(), 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    const double error = outputs[i] - value;
    const auto of_output = sums.subspan(i % width * kSumsAnOutput, kSumsAnOutput);
    of_output[0] += error * error;
    of_output[1] += std::abs(error);
    of_output[2] += value;
    of_output[3] += value * value;
  }
}

// 1 - SSE/SST of one output; nullopt when the targets do not vary by more than the rounding of their sums or, where
// they are normalised, by more than floats that are constant but for rounding (data/column_statistics.hpp).
std::optional<double> r2_of(double samples, std::span<const double> sums, bool normalised) {
  constexpr double rounding = 1e-13;  // of the sums' doubles; floats resolve no smaller variance
  constexpr double two_floats = 2.0 * std::numeric_limits<float>::epsilon();
  const double total = sums[3] - sums[2] * sums[2] / samples;
  if (total <= rounding * sums[3]) return std::nullopt;
  if (normalised && total <= samples * two_floats * two_floats) return std::nullopt;
  return 1.0 - sums[0] / total;
}

void finish_regression(std::size_t width, const TargetUnits& units, std::span<const double> sums, Scores& scores) {
  const auto samples = static_cast<double>(scores.samples);
  double squared = 0;
  double absolute = 0;
  double r2_sum = 0;
  bool all_vary = true;
  for (std::size_t output = 0; output < width; ++output) {
    const auto of_output = sums.subspan(output * kSumsAnOutput, kSumsAnOutput);
    const double scale = units.scale.empty() ? 1.0 : units.scale[output];
    squared += scale * scale * of_output[0];
    absolute += std::abs(scale) * of_output[1];
    const auto r2 = r2_of(samples, of_output, !units.scale.empty());  // the same in any units
    all_vary = all_vary && r2.has_value();
    r2_sum += r2.value_or(0.0);
  }
  const auto outputs = static_cast<double>(width);
  scores.rmse = std::sqrt(squared / (samples * outputs));
  scores.mae = absolute / (samples * outputs);
  if (all_vary) scores.r2 = r2_sum / outputs;
}

void take_class_counts(std::size_t classes, std::span<const std::int64_t> counts, Scores& scores) {
  const auto copy = [&](std::size_t begin, std::size_t count) {
    const auto part = counts.subspan(begin, count);
    return std::vector<std::int64_t>(part.begin(), part.end());
  };
  scores.class_samples = copy(0, classes);
  scores.class_right = copy(classes, classes);
  scores.confusion = copy(2 * classes, counts.size() - 2 * classes);
}

void finish_classification(std::size_t classes, std::span<const std::int64_t> counts, Scores& scores) {
  const auto samples = static_cast<double>(scores.samples);
  scores.accuracy = static_cast<double>(counts[0]) / samples;
  if (classes > kTop) scores.top5 = static_cast<double>(counts[1]) / samples;
  double recalls = 0;
  std::size_t occurring = 0;
  for (std::size_t label = 0; label < classes; ++label) {
    const std::int64_t count = counts[2 + label];
    if (count == 0) continue;
    recalls += static_cast<double>(counts[2 + classes + label]) / static_cast<double>(count);
    ++occurring;
  }
  if (occurring != 0) scores.macro_recall = recalls / static_cast<double>(occurring);
  take_class_counts(classes, counts.subspan(2), scores);
}

}  // namespace

Metrics::Metrics(Task task, std::size_t outputs, TargetUnits units)
    : task_(task), outputs_(outputs), units_(std::move(units)) {
  if (!units_.scale.empty()) expect_size(units_.scale.size(), outputs, "scales of targets");
}

std::size_t Metrics::num_sums() const noexcept {
  return task_ == Task::regression ? 1 + kSumsAnOutput * outputs_ : 1;
}

std::size_t Metrics::num_counts() const noexcept {
  switch (task_) {
    case Task::regression:
      return 0;
    case Task::binary:
      return outputs_ == 1 ? 1 + 2 * 2 + 2 * 2 : 1;
    case Task::classification:
      break;
  }
  return 2 + 2 * outputs_ + (has_confusion(outputs_) ? outputs_ * outputs_ : 0);
}

void Metrics::add_block(double loss_sum, std::span<const float> outputs, const Targets& targets, std::span<double> sums,
                        std::span<std::int64_t> counts) const {
  expect_size(sums.size(), num_sums(), "sums");
  expect_size(counts.size(), num_counts(), "counts");
  sums[0] = loss_sum;
  if (task_ == Task::classification) {
    expect_size(outputs.size(), targets.labels.size() * outputs_, "outputs for the labels");
    count_classes(outputs_, outputs, targets.labels, counts);
    return;
  }
  expect_size(outputs.size(), targets.values.size(), "outputs for the targets");
  if (task_ == Task::binary) {
    counts[0] += count_right_outputs(outputs, targets.values);
    if (outputs_ == 1) count_two_classes(outputs, targets.values, counts.subspan(1));
  } else {
    sum_errors(outputs_, outputs, targets.values, sums.subspan(1));
  }
}

Scores Metrics::finish(std::size_t samples, std::span<const double> sums, std::span<const std::int64_t> counts) const {
  expect_size(sums.size(), num_sums(), "sums");
  expect_size(counts.size(), num_counts(), "counts");
  if (samples == 0) throw Error(ErrorKind::usage, "metrics: expected scores over at least 1 sample, found none");
  Scores scores;
  scores.samples = samples;
  scores.loss = sums[0] / static_cast<double>(samples);
  switch (task_) {
    case Task::regression:
      finish_regression(outputs_, units_, sums.subspan(1), scores);
      break;
    case Task::binary:
      scores.accuracy = static_cast<double>(counts[0]) / static_cast<double>(samples * outputs_);
      if (outputs_ == 1) take_class_counts(2, counts.subspan(1), scores);
      break;
    case Task::classification:
      finish_classification(outputs_, counts, scores);
      break;
  }
  return scores;
}

std::vector<std::pair<std::string, double>> Scores::named() const {
  std::vector<std::pair<std::string, double>> result{{"loss", loss}};
  const auto add = [&](const char* name, const std::optional<double>& value) {
    if (value) result.emplace_back(name, *value);
  };
  add("accuracy", accuracy);
  add("top5", top5);
  add("macro_recall", macro_recall);
  add("r2", r2);
  add("rmse", rmse);
  add("mae", mae);
  return result;
}

}  // namespace lockstep
