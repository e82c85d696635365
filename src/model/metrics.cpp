// Sums and counts of a block, and the scores that their totals give.
//
// Layout, after sums[0] = loss:
//   regression      sums: per output SSE, sum of |error|, sum of targets, sum of squared targets, in the net's units;
//                   with weights, or where targets may be missing, then what the targets weigh; at the end the sums of
//                   the loss's own scores
//   binary          counts: right outputs; with one output then the class counts of two classes; with several, where
//                   they may be missing, then those that are there
//   classification  counts: right, right among five, class counts
//   class counts    labels of each class, right of each class, confusion
// With weights, in the place of counts:
//   binary          sums: of right outputs, of outputs
//   classification  sums: of right ones, right ones among five, labels of each class, right ones of each class
#include "model/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lockstep/error.hpp"
#include "model/row_answer.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kSumsAnOutput = 4;
constexpr std::size_t kWeighedSumsAnOutput = 5;
constexpr std::size_t kTop = 5;

void expect_size(std::size_t found, std::size_t expected, const char* what) {
  if (found == expected) return;
  throw Error(ErrorKind::usage, fmt::format("metrics: expected {} {}, found {}", expected, what, found));
}

bool has_confusion(std::size_t classes) {
  return classes <= Metrics::kMaxConfusion;
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

bool is_right(float logit, float value) {
  return !std::isnan(logit) && (logit > 0.0F) == (value > 0.5F);
}

std::int64_t count_right_outputs(std::span<const float> logits, std::span<const float> values) {
  std::int64_t right = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!std::isnan(values[i]) && is_right(logits[i], values[i])) ++right;
  }
  return right;
}

std::int64_t count_there(std::span<const float> values) {
  return std::ranges::count_if(values, [](float value) { return !std::isnan(value); });
}

void weigh_right_outputs(std::size_t width, std::span<const float> logits, const Targets& targets,
                         std::span<double> sums) {
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(targets.values[i])) continue;
    const double weight = weight_of(targets, i / width);
    sums[1] += weight;
    if (is_right(logits[i], targets.values[i])) sums[0] += weight;
  }
}

void weigh_classes(std::size_t classes, std::span<const float> outputs, const Targets& targets,
                   std::span<double> sums) {
  for (std::size_t i = 0; i < targets.labels.size(); ++i) {
    const auto row = outputs.subspan(i * classes, classes);
    const auto label = static_cast<std::size_t>(targets.labels[i]);
    const double weight = targets.weights[i];
    sums[2 + label] += weight;
    const auto answer = answer_of(row);
    if (!answer) continue;
    if (among_top(row, label)) sums[1] += weight;
    if (*answer == label) {
      sums[0] += weight;
      sums[2 + classes + label] += weight;
    }
  }
}

// The sums of all outputs run side by side, each in the order of the rows.
void sum_errors(std::size_t width, std::span<const float> outputs, std::span<const float> values,
                std::span<double> sums) {
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

// The same of one target, by weight. `of_target` [kWeighedSumsAnOutput].
void weigh_error(double answer, double value, double weight, std::span<double> of_target) {
  const double error = answer - value;
  of_target[0] += weight * (error * error);
  of_target[1] += weight * std::abs(error);
  of_target[2] += weight * value;
  of_target[3] += weight * (value * value);
  of_target[4] += weight;
}

// Calls `use(place, value, weight)` for targets that are there, `width` a row; a row of weight 0 is left out, as from
// the loss.
template <class Use>
void for_each_target(std::size_t width, const Targets& targets, Use use) {
  for (std::size_t i = 0; i < targets.values.size(); ++i) {
    const double value = targets.values[i];
    const double weight = weight_of(targets, i / width);
    if (!std::isnan(value) && weight != 0) use(i, value, weight);
  }
}

// 1 - SSE/SST of one output, whose targets weigh `samples`.
std::optional<double> r2_of(double samples, std::span<const double> sums, bool normalised) {
  if (!targets_vary(samples, sums[2], sums[3], normalised)) return std::nullopt;
  return 1.0 - sums[0] / (sums[3] - sums[2] * sums[2] / samples);
}

// Returns what all targets weigh.
double finish_regression(std::size_t width, const TargetUnits& units, std::span<const double> sums, std::size_t each,
                         Scores& scores) {
  double all = 0;
  double squared = 0;
  double absolute = 0;
  double r2_sum = 0;
  bool all_vary = true;
  for (std::size_t output = 0; output < width; ++output) {
    const auto of_output = sums.subspan(output * each, each);
    const double samples = each == kSumsAnOutput ? static_cast<double>(scores.samples) : of_output[4];
    all += samples;
    const double scale = units.scale.empty() ? 1.0 : units.scale[output];
    squared += scale * scale * of_output[0];
    absolute += std::abs(scale) * of_output[1];
    const auto r2 = r2_of(samples, of_output, !units.scale.empty());  // the same in any units
    all_vary = all_vary && r2.has_value();
    r2_sum += r2.value_or(0.0);
  }
  if (all > 0) {
    if (!(squared < 0)) scores.rmse = std::sqrt(squared / all);  // negative weights can do that
    scores.mae = absolute / all;
  }
  if (all_vary) scores.r2 = r2_sum / static_cast<double>(width);
  return all;
}

std::optional<double> share(double part, double whole) {
  if (!(whole > 0)) return std::nullopt;
  return part / whole;
}

void finish_weighed_classes(std::size_t classes, std::span<const double> sums, Scores& scores) {
  const auto of_label = sums.subspan(2, classes);
  double all = 0;
  for (const double weight : of_label) all += weight;
  scores.accuracy = share(sums[0], all);
  if (classes > kTop) scores.top5 = share(sums[1], all);
  double recalls = 0;
  std::size_t occurring = 0;
  for (std::size_t label = 0; label < classes; ++label) {
    const auto recall = share(sums[2 + classes + label], of_label[label]);
    if (!recall) continue;
    recalls += *recall;
    ++occurring;
  }
  if (occurring != 0) scores.macro_recall = recalls / static_cast<double>(occurring);
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

bool targets_vary(double weight, double sum, double sum_of_squares, bool normalised) noexcept {
  constexpr double rounding = 1e-13;  // of the sums' doubles; floats resolve no smaller variance
  constexpr double two_floats = 2.0 * std::numeric_limits<float>::epsilon();
  if (!(weight > 0)) return false;
  const double total = sum_of_squares - sum * sum / weight;
  return total > rounding * sum_of_squares && !(normalised && total <= weight * two_floats * two_floats);
}

Metrics::Metrics(Task task, std::size_t outputs, TargetUnits units, SampleExtras extras)
    : task_(task), outputs_(outputs), units_(std::move(units)), extras_(extras) {
  if (!units_.scale.empty()) expect_size(units_.scale.size(), outputs, "scales of targets");
}

Metrics::Metrics(const Loss& loss, std::size_t outputs, TargetUnits units, SampleExtras extras)
    : Metrics(loss.task(), loss.targets() == TargetKind::labels ? outputs : loss.num_targets(outputs), std::move(units),
              extras) {
  own_ = loss.own_scores();
  if (task_ == Task::regression && !own_.empty()) loss_ = &loss;
}

void Metrics::weigh_answers(std::span<const float> outputs, const Targets& targets, std::span<double> sums) const {
  const std::size_t each = loss_->outputs_per_target();
  const std::vector<AnswerColumn> columns = loss_->answers();
  const std::size_t point = loss_->point();
  std::vector<double> answers(each);
  std::vector<double> scores(own_.size());
  const auto of_loss = sums.subspan(kWeighedSumsAnOutput * outputs_);
  for_each_target(outputs_, targets, [&](std::size_t i, double value, double weight) {
    const std::size_t target = i % outputs_;
    loss_->answer(outputs.subspan(i * each, each), answers);
    weigh_error(answers[point], value, weight, sums.subspan(target * kWeighedSumsAnOutput, kWeighedSumsAnOutput));
    const double scale = units_.scale.empty() ? 1 : units_.scale[target];
    const double shift = units_.scale.empty() ? 0 : units_.shift[target];
    for (std::size_t a = 0; a < each; ++a) answers[a] = answers[a] * scale + (columns[a].shifts ? shift : 0);
    loss_->score(answers, value * scale + shift, scores);
    for (std::size_t s = 0; s < scores.size(); ++s) of_loss[s] += weight * scores[s];
  });
}

std::size_t Metrics::num_sums() const noexcept {
  switch (task_) {
    case Task::regression:
      return 1 + (weighs() ? kWeighedSumsAnOutput : kSumsAnOutput) * outputs_ + (plain() ? 0 : own_.size());
    case Task::binary:
      return extras_.weights ? 1 + 2 : 1;
    case Task::classification:
      break;
  }
  return extras_.weights ? 1 + 2 + 2 * outputs_ : 1;
}

std::size_t Metrics::num_counts() const noexcept {
  if (extras_.weights) return 0;
  switch (task_) {
    case Task::regression:
      return 0;
    case Task::binary:
      if (outputs_ == 1) return 1 + 2 * 2 + 2 * 2;
      return extras_.missing ? 2 : 1;
    case Task::classification:
      break;
  }
  return 2 + 2 * outputs_ + (has_confusion(outputs_) ? outputs_ * outputs_ : 0);
}

void Metrics::add_block(double loss_sum, std::span<const float> outputs, const Targets& targets, std::span<double> sums,
                        std::span<std::int64_t> counts) const {
  expect_size(sums.size(), num_sums(), "sums");
  expect_size(counts.size(), num_counts(), "counts");
  std::ranges::fill(sums, 0.0);
  sums[0] = loss_sum;
  if (task_ == Task::classification) {
    expect_size(outputs.size(), targets.labels.size() * outputs_, "outputs for the labels");
    if (extras_.weights) return weigh_classes(outputs_, outputs, targets, sums.subspan(1));
    count_classes(outputs_, outputs, targets.labels, counts);
    return;
  }
  expect_size(outputs.size(), targets.values.size() * (plain() ? 1 : loss_->outputs_per_target()),
              "outputs for the targets");
  if (task_ == Task::binary) {
    if (extras_.weights) return weigh_right_outputs(outputs_, outputs, targets, sums.subspan(1));
    counts[0] += count_right_outputs(outputs, targets.values);
    if (outputs_ > 1 && extras_.missing) counts[1] += count_there(targets.values);
    if (outputs_ == 1) count_two_classes(outputs, targets.values, counts.subspan(1));
  } else if (!plain()) {
    weigh_answers(outputs, targets, sums.subspan(1));
  } else if (weighs()) {
    for_each_target(outputs_, targets, [&](std::size_t i, double value, double weight) {
      weigh_error(outputs[i], value, weight,
                  sums.subspan(1 + i % outputs_ * kWeighedSumsAnOutput, kWeighedSumsAnOutput));
    });
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
    case Task::regression: {
      const std::size_t each = weighs() ? kWeighedSumsAnOutput : kSumsAnOutput;
      const double weight = finish_regression(outputs_, units_, sums.subspan(1, each * outputs_), each, scores);
      for (std::size_t s = 0; !plain() && weight > 0 && s < own_.size(); ++s) {
        scores.own.emplace_back(own_[s].name, sums[1 + each * outputs_ + s] / weight);
      }
      break;
    }
    case Task::binary:
      if (extras_.weights) {
        scores.accuracy = share(sums[1], sums[2]);
        break;
      }
      scores.accuracy = share(static_cast<double>(counts[0]), outputs_ > 1 && extras_.missing
                                                                  ? static_cast<double>(counts[1])
                                                                  : static_cast<double>(samples * outputs_));
      if (outputs_ == 1) take_class_counts(2, counts.subspan(1), scores);
      break;
    case Task::classification:
      if (extras_.weights) {
        finish_weighed_classes(outputs_, sums.subspan(1), scores);
      } else {
        finish_classification(outputs_, counts, scores);
      }
      break;
  }
  return scores;
}

}  // namespace lockstep
