#include "score/sample_answers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "model/probabilities.hpp"

namespace lockstep {
namespace {

// The scores that are told to all ranks, in one order.
std::vector<std::optional<double>*> ordered(Scores& scores) {
  std::vector<std::optional<double>*> all{&scores.auc, &scores.average_precision};
  const auto add = [&](auto& of) {
    all.insert(all.end(), {&of.error_median, &of.error_p90, &of.error_p95, &of.error_max});
  };
  add(scores);
  for (TargetScores& target : scores.targets) add(target);
  return all;
}

template <class Some>
void take_quantiles(std::span<WeighedError> errors, Some& scores) {
  const auto found = error_quantiles(errors);
  if (!found) return;
  scores.error_median = found->at[0];
  scores.error_p90 = found->at[1];
  scores.error_p95 = found->at[2];
  scores.error_max = found->largest;
}

}  // namespace

SampleAnswers::SampleAnswers(const Loss& loss, std::size_t outputs, TargetUnits units, SampleExtras extras)
    : task_(loss.task()),
      probabilities_(loss.gives_probabilities()),
      outputs_(outputs),
      units_(std::move(units)),
      extras_(extras) {}

std::size_t SampleAnswers::numbers() const noexcept {
  const std::size_t truths = task_ == Task::classification ? 1 : outputs_;
  return outputs_ + truths + (extras_.weights ? 1 : 0);
}

void SampleAnswers::add(std::span<const float> outputs, const Targets& targets) {
  const std::size_t rows = outputs.size() / outputs_;
  std::vector<float> said(outputs.begin(), outputs.end());
  if (task_ != Task::regression) {
    // Outputs without probabilities keep their order among the samples, which softmax would change.
    if (probabilities_) fill_probabilities(task_, outputs_, outputs, said);
    // What is not a number has no order; it is the last one.
    constexpr float last = -std::numeric_limits<float>::infinity();
    for (float& value : said) value = std::isnan(value) ? last : value;
  }
  for (std::size_t row = 0; row < rows; ++row) {
    mine_.insert(mine_.end(), said.begin() + static_cast<std::ptrdiff_t>(row * outputs_),
                 said.begin() + static_cast<std::ptrdiff_t>((row + 1) * outputs_));
    if (task_ == Task::classification) {
      mine_.push_back(static_cast<float>(targets.labels[row]));
    } else {
      const auto truths = targets.values.subspan(row * outputs_, outputs_);
      mine_.insert(mine_.end(), truths.begin(), truths.end());
    }
    if (extras_.weights) mine_.push_back(targets.weights.empty() ? 1.0F : targets.weights[row]);
  }
}

void SampleAnswers::gather(const Communicator& comm) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  std::vector<std::int64_t> counts(ranks, 0);
  counts[static_cast<std::size_t>(comm.rank())] = static_cast<std::int64_t>(mine_.size());
  comm.sum(counts);
  std::vector<std::size_t> starts{0};
  for (const std::int64_t count : counts) starts.push_back(starts.back() + static_cast<std::size_t>(count));
  comm.at_root([&] { all_.resize(starts.back()); });
  comm.gather_at_root(mine_, all_, starts);
}

void SampleAnswers::score(const Communicator& comm, bool weighted, Scores& scores) const {
  comm.at_root([&] {
    if (task_ == Task::regression) {
      order_errors(weighted, scores);
    } else {
      rank(weighted, scores);
    }
  });
  std::vector<double> values;
  for (const std::optional<double>* score : ordered(scores)) {
    values.push_back(score->value_or(std::numeric_limits<double>::quiet_NaN()));
  }
  comm.broadcast(std::as_writable_bytes(std::span(values)));
  std::size_t next = 0;
  for (std::optional<double>* score : ordered(scores)) {
    const double value = values[next++];
    *score = std::isnan(value) ? std::nullopt : std::optional(value);
  }
}

void SampleAnswers::collect(std::size_t column, bool weighted, std::vector<RankedSample>& ranked) const {
  ranked.clear();
  for (std::size_t sample = 0; sample < samples(); ++sample) {
    const auto one = record(sample);
    const float truth = one[outputs_ + (task_ == Task::classification ? 0 : column)];
    if (std::isnan(truth)) continue;  // missing
    const bool positive = task_ == Task::classification ? truth == static_cast<float>(column) : truth > 0.5F;
    ranked.push_back({.score = one[column], .weight = weight(one, weighted), .positive = positive});
  }
}

// Means over the classes, or outputs, that have some.
void SampleAnswers::rank(bool weighted, Scores& scores) const {
  std::vector<RankedSample> ranked;
  ranked.reserve(samples());
  std::vector<double> areas;
  std::vector<double> precisions;
  for (std::size_t column = 0; column < outputs_; ++column) {
    collect(column, weighted, ranked);
    const RankScores found = rank_scores(ranked);
    if (found.auc) areas.push_back(*found.auc);
    if (found.average_precision) precisions.push_back(*found.average_precision);
  }
  const auto mean = [](const std::vector<double>& values) -> std::optional<double> {
    if (values.empty()) return std::nullopt;
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  };
  scores.auc = mean(areas);
  scores.average_precision = mean(precisions);
}

void SampleAnswers::order_errors(bool weighted, Scores& scores) const {
  std::vector<WeighedError> all;
  std::vector<WeighedError> of_target;
  for (std::size_t target = 0; target < outputs_; ++target) {
    const double scale = units_.scale.empty() ? 1 : std::abs(units_.scale[target]);
    of_target.clear();
    for (std::size_t sample = 0; sample < samples(); ++sample) {
      const auto one = record(sample);
      if (std::isnan(one[outputs_ + target])) continue;
      const double error = std::abs(double{one[target]} - one[outputs_ + target]);
      // One that is not finite is the largest.
      const double size = std::isnan(error) ? std::numeric_limits<double>::infinity() : scale * error;
      of_target.push_back({.size = size, .weight = weight(one, weighted)});
    }
    if (outputs_ > 1) all.insert(all.end(), of_target.begin(), of_target.end());
    if (target < scores.targets.size()) take_quantiles(of_target, scores.targets[target]);
  }
  take_quantiles(outputs_ > 1 ? all : of_target, scores);
}

std::optional<Threshold> SampleAnswers::threshold(const Communicator& comm, ThresholdRule rule) const {
  std::array<double, 2> told{std::numeric_limits<double>::quiet_NaN(), 0};
  comm.at_root([&] {
    std::vector<RankedSample> ranked;
    ranked.reserve(samples());
    collect(0, true, ranked);
    if (const auto found = best_threshold(rule, ranked)) told = {found->value, found->score};
  });
  comm.broadcast(std::as_writable_bytes(std::span(told)));
  if (std::isnan(told[0])) return std::nullopt;
  return Threshold{.value = told[0], .score = told[1]};
}

}  // namespace lockstep
