// Scores of a model on data, from sums over fixed blocks of samples.
//
// With weights of the samples everything is a sum of doubles, and classes are not counted: a second Metrics without
// them does that. A block gives doubles and counts; blocks are added in tree order (doubles) or in any order (counts
// are integers), so scores have the same bits at any rank count. Nothing here knows ranks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lockstep/batch.hpp"
#include "lockstep/scores.hpp"
#include "model/loss.hpp"

namespace lockstep {

/// Samples in one block of an evaluation.
inline constexpr std::size_t kEvaluationBlock = 256;

/// Turns normalised targets back into their own units: value * scale + shift, per output. Empty: they are already.
struct TargetUnits {
  std::vector<double> shift;
  std::vector<double> scale;
};

/// Whether targets of one kind, which weigh `weight`, vary by more than the rounding of their sums or, where they are
/// normalised, by more than floats that are constant but for rounding (data/column_statistics.hpp).
[[nodiscard]] bool targets_vary(double weight, double sum, double sum_of_squares, bool normalised) noexcept;

class Metrics {
 public:
  /// A confusion matrix is kept up to kMaxConfusion classes.
  static constexpr std::size_t kMaxConfusion = 1000;

  /// Of samples with `extras`.
  Metrics(Task task, std::size_t outputs, TargetUnits units = {}, SampleExtras extras = {});
  /// Of a net of `outputs` outputs with this loss, which must outlive it; units are those of its targets.
  Metrics(const Loss& loss, std::size_t outputs, TargetUnits units = {}, SampleExtras extras = {});

  /// Doubles and counts that one block gives.
  [[nodiscard]] std::size_t num_sums() const noexcept;
  [[nodiscard]] std::size_t num_counts() const noexcept;

  /// Sets `sums` [num_sums()] to those of these rows (sums[0] is `loss_sum`) and adds to `counts` [num_counts()].
  /// Shapes: outputs [n, outputs].
  void add_block(double loss_sum, std::span<const float> outputs, const Targets& targets, std::span<double> sums,
                 std::span<std::int64_t> counts) const;

  /// Scores from the totals over all blocks of `samples` samples (at least 1).
  [[nodiscard]] Scores finish(std::size_t samples, std::span<const double> sums,
                              std::span<const std::int64_t> counts) const;

 private:
  // Whether each output is the answer for a target, and there are no scores but those of its task.
  [[nodiscard]] bool plain() const noexcept { return loss_ == nullptr; }
  [[nodiscard]] bool weighs() const noexcept { return extras_.weights || extras_.missing || !plain(); }
  void weigh_answers(std::span<const float> outputs, const Targets& targets, std::span<double> sums) const;

  Task task_;
  std::size_t outputs_;  // targets of a regression
  const Loss* loss_ = nullptr;
  std::vector<OwnScore> own_ = {};
  TargetUnits units_;
  SampleExtras extras_;
};

}  // namespace lockstep
