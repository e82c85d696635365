// Layout of a block:
//   regression           sums: of each target what it weighs, error, error^2, |error|, target, target^2 (in the net's
//                        units), |error / target|, and what those weigh that are 0 (in their own)
//   binary, classification  of each output or class its label, its answer, both: counts, or with weights sums; and
//                        before these, where it is asked for, sums of log losses and of what they weigh
#include "model/detail_metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "lockstep/error.hpp"
#include "model/ranking.hpp"
#include "model/row_answer.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kSumsATarget = 8;
constexpr std::size_t kSumsAClass = 3;  // labelled, answered, right

// Counts 1, or adds a weight.
template <class Sum>
void add_class(std::span<Sum> sums, std::size_t label, std::optional<std::size_t> answer, Sum weight) {
  sums[kSumsAClass * label] += weight;
  if (!answer) return;
  sums[kSumsAClass * *answer + 1] += weight;
  if (*answer == label) sums[kSumsAClass * label + 2] += weight;
}

template <class Sum>
void add_output(std::span<Sum> sums, bool label, bool answer, Sum weight) {
  if (label) sums[0] += weight;
  if (answer) sums[1] += weight;
  if (label && answer) sums[2] += weight;
}

// What is left of a 0 that was normalised, as a float, and is taken back.
bool is_zero(double value, double normalised, double scale, double shift) {
  constexpr double kRounding = 2.0 * std::numeric_limits<float>::epsilon();
  return std::abs(value) <= kRounding * (std::abs(normalised * scale) + std::abs(shift)) / 2;
}

}  // namespace

DetailMetrics::DetailMetrics(Task task, std::size_t outputs, TargetUnits units, SampleExtras extras, bool log_loss)
    : task_(task),
      outputs_(outputs),
      units_(std::move(units)),
      extras_(extras),
      log_loss_(log_loss && task != Task::regression) {}

std::size_t DetailMetrics::num_sums() const noexcept {
  if (task_ == Task::regression) return kSumsATarget * outputs_;
  return num_log_sums() + (extras_.weights ? kSumsAClass * outputs_ : 0);
}

std::size_t DetailMetrics::num_counts() const noexcept {
  return task_ == Task::regression || extras_.weights ? 0 : kSumsAClass * outputs_;
}

void DetailMetrics::add_block(std::span<const float> outputs, std::span<const float> answers, const Targets& targets,
                              std::span<double> sums, std::span<std::int64_t> counts) const {
  if (sums.size() != num_sums() || counts.size() != num_counts()) {
    throw Error(ErrorKind::usage, "detail metrics: sums or counts are of another size");
  }
  std::ranges::fill(sums, 0.0);
  if (task_ == Task::regression) return add_errors(outputs, targets, sums);
  if (log_loss_) add_log_losses(outputs, targets, sums.first(num_log_sums()));
  if (task_ == Task::binary) {
    add_outputs(answers, targets, sums.subspan(num_log_sums()), counts);
  } else {
    add_classes(outputs, targets, sums.subspan(num_log_sums()), counts);
  }
}

void DetailMetrics::add_classes(std::span<const float> outputs, const Targets& targets, std::span<double> sums,
                                std::span<std::int64_t> counts) const {
  for (std::size_t row = 0; row < targets.labels.size(); ++row) {
    const auto label = static_cast<std::size_t>(targets.labels[row]);
    const auto answer = answer_of(outputs.subspan(row * outputs_, outputs_));
    if (extras_.weights) {
      add_class(sums, label, answer, weight_of(targets, row));
    } else {
      add_class(counts, label, answer, std::int64_t{1});
    }
  }
}

void DetailMetrics::add_outputs(std::span<const float> answers, const Targets& targets, std::span<double> sums,
                                std::span<std::int64_t> counts) const {
  for (std::size_t i = 0; i < targets.values.size(); ++i) {
    if (std::isnan(targets.values[i])) continue;  // missing
    const bool label = targets.values[i] > 0.5F;
    const bool answer = answers[i] > 0.0F;
    const std::size_t first = i % outputs_ * kSumsAClass;
    if (extras_.weights) {
      add_output(sums.subspan(first, kSumsAClass), label, answer, weight_of(targets, i / outputs_));
    } else {
      add_output(counts.subspan(first, kSumsAClass), label, answer, std::int64_t{1});
    }
  }
}

void DetailMetrics::add_log_losses(std::span<const float> outputs, const Targets& targets,
                                   std::span<double> sums) const {
  const auto add = [&](double weight, auto loss) {
    if (weight == 0) return;
    sums[0] += weight * loss();
    sums[1] += weight;
  };
  if (task_ == Task::classification) {
    for (std::size_t row = 0; row < targets.labels.size(); ++row) {
      add(weight_of(targets, row), [&] {
        const auto label = static_cast<std::size_t>(targets.labels[row]);
        return log_loss_of_label(outputs.subspan(row * outputs_, outputs_), label);
      });
    }
    return;
  }
  for (std::size_t i = 0; i < targets.values.size(); ++i) {
    if (std::isnan(targets.values[i])) continue;
    add(weight_of(targets, i / outputs_), [&] { return log_loss_of_target(outputs[i], targets.values[i]); });
  }
}

void DetailMetrics::add_points(std::span<const double> points, const Targets& targets, std::span<double> sums) const {
  if (task_ != Task::regression || sums.size() != num_sums() || points.size() != targets.values.size()) {
    throw Error(ErrorKind::usage, "detail metrics: points or sums are of another size");
  }
  std::ranges::fill(sums, 0.0);
  add_errors(points, targets, sums);
}

template <class Answer>
void DetailMetrics::add_errors(std::span<const Answer> answers, const Targets& targets, std::span<double> sums) const {
  for (std::size_t i = 0; i < targets.values.size(); ++i) {
    const double value = targets.values[i];
    const double weight = weight_of(targets, i / outputs_);
    if (std::isnan(value) || weight == 0) continue;
    const std::size_t target = i % outputs_;
    const double scale = units_.scale.empty() ? 1 : units_.scale[target];
    const double shift = units_.scale.empty() ? 0 : units_.shift[target];
    const double error = answers[i] - value;
    const double own = value * scale + shift;
    const bool zero = is_zero(own, value, scale, shift);
    const auto of_target = sums.subspan(target * kSumsATarget, kSumsATarget);
    of_target[0] += weight;
    of_target[1] += weight * error;
    of_target[2] += weight * (error * error);
    of_target[3] += weight * std::abs(error);
    of_target[4] += weight * value;
    of_target[5] += weight * (value * value);
    if (zero) {
      of_target[7] += std::abs(weight);
    } else {
      of_target[6] += weight * std::abs(error * scale / own);
    }
  }
}

void DetailMetrics::finish(std::span<const double> sums, std::span<const std::int64_t> counts, Scores& scores) const {
  if (sums.size() != num_sums() || counts.size() != num_counts()) {
    throw Error(ErrorKind::usage, "detail metrics: sums or counts are of another size");
  }
  if (task_ == Task::regression) return finish_targets(sums, scores);
  if (log_loss_ && sums[1] > 0) scores.log_loss = sums[0] / sums[1];
  finish_classes(sums.subspan(num_log_sums()), counts, scores);
}

void DetailMetrics::finish_classes(std::span<const double> sums, std::span<const std::int64_t> counts,
                                   Scores& scores) const {
  std::vector<ClassSums> classes(outputs_);
  double any = 0;
  for (std::size_t i = 0; i < outputs_; ++i) {
    const auto at = [&](std::size_t which) {
      const std::size_t place = kSumsAClass * i + which;
      return extras_.weights ? sums[place] : static_cast<double>(counts[place]);
    };
    classes[i] = {.labelled = at(0), .answered = at(1), .right = at(2)};
    any += at(0) + at(1);
  }
  // Of one output these are the scores of class 1, also where it does not occur: then they are 0.
  if (outputs_ > 1 && !(any > 0)) return;
  const ClassScores all = outputs_ == 1 ? class_scores(classes.front()) : macro_scores(classes);
  scores.precision = all.precision;
  if (task_ == Task::binary) scores.recall = all.recall;
  scores.f1 = all.f1;
}

void DetailMetrics::finish_targets(std::span<const double> sums, Scores& scores) const {
  std::optional<double> explained = 0.0;
  double relative = 0;
  double weights = 0;
  bool any_zero = false;
  scores.targets.clear();
  for (std::size_t target = 0; target < outputs_; ++target) {
    const auto s = sums.subspan(target * kSumsATarget, kSumsATarget);
    const double scale = units_.scale.empty() ? 1 : std::abs(units_.scale[target]);
    const double n = s[0];
    TargetScores& of_target = scores.targets.emplace_back();
    weights += n;
    relative += s[6];
    any_zero = any_zero || s[7] > 0;
    if (n > 0) {
      // As Metrics has it, to the bit. Negative weights can make s[2] negative.
      if (!(s[2] < 0)) of_target.rmse = std::sqrt(scale * scale * s[2] / n);
      of_target.mae = scale * s[3] / n;
      if (!(s[7] > 0)) of_target.mape = s[6] / n;
      if (targets_vary(n, s[4], s[5], !units_.scale.empty())) {
        const double total = s[5] - s[4] * s[4] / n;
        of_target.r2 = 1 - s[2] / total;
        of_target.explained_variance = 1 - (s[2] - s[1] * s[1] / n) / total;
      }
    }
    if (explained && of_target.explained_variance) {
      *explained += *of_target.explained_variance / static_cast<double>(outputs_);
    } else {
      explained.reset();
    }
  }
  scores.explained_variance = explained;
  if (weights > 0 && !any_zero) scores.mape = relative / weights;
}

}  // namespace lockstep
