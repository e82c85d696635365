#include "model/ranking.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace lockstep {
namespace {

struct Totals {
  double positive = 0;
  double negative = 0;
  bool any_below_zero = false;
  [[nodiscard]] bool both() const noexcept { return positive > 0 && negative > 0; }
};

// Largest scores first. Samples that are alike in all are the same, so the order is one whatever it was.
void sort_by_score(std::span<RankedSample> samples) {
  std::ranges::sort(samples, [](const RankedSample& a, const RankedSample& b) {
    return std::tuple(b.score, a.positive, a.weight) < std::tuple(a.score, b.positive, b.weight);
  });
}

Totals totals_of(std::span<const RankedSample> sorted) {
  Totals totals;
  for (const RankedSample& sample : sorted) {
    (sample.positive ? totals.positive : totals.negative) += sample.weight;
    totals.any_below_zero = totals.any_below_zero || sample.weight < 0;
  }
  return totals;
}

// Calls visit(positive, negative, last) for every score: the weights that have it, and the last sample that has.
template <class Visit>
void for_each_score(std::span<const RankedSample> sorted, Visit visit) {
  for (std::size_t i = 0; i < sorted.size();) {
    const float score = sorted[i].score;
    double positive = 0;
    double negative = 0;
    for (; i < sorted.size() && sorted[i].score == score; ++i) {
      (sorted[i].positive ? positive : negative) += sorted[i].weight;
    }
    visit(positive, negative, i - 1);
  }
}

double share(double part, double whole) {
  return whole == 0 ? 0 : part / whole;
}

// numpy's linear method, with its way to interpolate.
double interpolated(std::span<const WeighedError> sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = place - static_cast<double>(below);
  const double low = sorted[below].size;
  const double high = sorted[above].size;
  return part < 0.5 ? low + (high - low) * part : high - (high - low) * (1 - part);
}

}  // namespace

RankScores rank_scores(std::span<RankedSample> samples) {
  sort_by_score(samples);
  const Totals totals = totals_of(samples);
  RankScores scores;
  if (!totals.both()) return scores;
  double area = 0;
  double precisions = 0;
  double above = 0;         // weight of the class at larger scores ...
  double others_above = 0;  // ... and of the rest
  for_each_score(samples, [&](double positive, double negative, std::size_t) {
    area += negative * (above + positive / 2);
    above += positive;
    others_above += negative;
    precisions += positive * share(above, above + others_above);
  });
  scores.auc = area / (totals.positive * totals.negative);
  if (!totals.any_below_zero) scores.average_precision = precisions / totals.positive;
  return scores;
}

std::optional<Threshold> best_threshold(ThresholdRule rule, std::span<RankedSample> samples) {
  sort_by_score(samples);
  const Totals totals = totals_of(samples);
  if (!totals.both()) return std::nullopt;
  std::optional<Threshold> best;
  ClassSums sums{.labelled = totals.positive};
  for_each_score(samples, [&](double positive, double negative, std::size_t last) {
    sums.right += positive;
    sums.answered += positive + negative;
    const double of_rest = (sums.answered - sums.right) / totals.negative;
    const double score = rule == ThresholdRule::f1 ? class_scores(sums).f1 : sums.right / totals.positive - of_rest;
    const double here = samples[last].score;
    const double next = last + 1 < samples.size() ? samples[last + 1].score : 0.0;
    if (score <= (best ? best->score : 0) || here <= 0) return;
    best = Threshold{.value = (here + std::max(next, 0.0)) / 2, .score = score};
  });
  return best;
}

ClassScores class_scores(const ClassSums& sums) {
  return {.precision = share(sums.right, sums.answered),
          .recall = share(sums.right, sums.labelled),
          .f1 = share(2 * sums.right, sums.labelled + sums.answered)};
}

ClassScores macro_scores(std::span<const ClassSums> classes) {
  ClassScores mean;
  double occurring = 0;
  for (const ClassSums& sums : classes) {
    if (sums.labelled == 0 && sums.answered == 0) continue;
    const ClassScores scores = class_scores(sums);
    mean.precision += scores.precision;
    mean.recall += scores.recall;
    mean.f1 += scores.f1;
    ++occurring;
  }
  return {.precision = share(mean.precision, occurring),
          .recall = share(mean.recall, occurring),
          .f1 = share(mean.f1, occurring)};
}

double log_loss_of_label(std::span<const float> logits, std::size_t label) {
  const double most = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - most);
  return most + std::log(sum) - logits[label];
}

double log_loss_of_target(float logit, float target) {
  const double x = logit;
  return std::max(x, 0.0) - x * target + std::log1p(std::exp(-std::abs(x)));
}

std::optional<ErrorQuantiles> error_quantiles(std::span<WeighedError> errors) {
  std::ranges::sort(errors, [](const WeighedError& a, const WeighedError& b) {
    return std::tie(a.size, a.weight) < std::tie(b.size, b.weight);
  });
  double total = 0;
  bool all_one = true;
  for (const WeighedError& error : errors) {
    if (error.weight < 0) return std::nullopt;
    all_one = all_one && error.weight == 1;
    total += error.weight;
  }
  if (!(total > 0)) return std::nullopt;
  ErrorQuantiles quantiles{.largest = errors.back().size};
  if (all_one) {
    for (std::size_t i = 0; i < kErrorQuantiles.size(); ++i) quantiles.at[i] = interpolated(errors, kErrorQuantiles[i]);
    return quantiles;
  }
  for (std::size_t i = 0; i < kErrorQuantiles.size(); ++i) {
    double reached = 0;
    for (const WeighedError& error : errors) {
      reached += error.weight;
      quantiles.at[i] = error.size;
      if (error.weight > 0 && reached >= kErrorQuantiles[i] * total) break;
    }
  }
  while (errors.back().weight == 0) errors = errors.first(errors.size() - 1);
  quantiles.largest = errors.back().size;
  return quantiles;
}

}  // namespace lockstep
