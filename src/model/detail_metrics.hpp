// Scores by class, by output and by target, and what is made of them: precision, recall, F1, log loss; explained
// variance, relative errors. Beside Metrics, and in the same way: blocks give doubles, added in tree order, and counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lockstep/batch.hpp"
#include "lockstep/scores.hpp"
#include "model/loss.hpp"
#include "model/metrics.hpp"

namespace lockstep {

class DetailMetrics {
 public:
  /// Of samples with `extras`. `log_loss`: whether that is a score of its own, the loss being another.
  DetailMetrics(Task task, std::size_t outputs, TargetUnits units, SampleExtras extras, bool log_loss);

  /// Doubles and counts that one block gives.
  [[nodiscard]] std::size_t num_sums() const noexcept;
  [[nodiscard]] std::size_t num_counts() const noexcept;

  /// Sets `sums` [num_sums()] to those of these rows and adds to `counts` [num_counts()]. `answers`: of a binary net
  /// numbers whose sign is the answer; else, and for the log loss, `outputs`.
  /// Shapes: outputs, answers [n, outputs].
  void add_block(std::span<const float> outputs, std::span<const float> answers, const Targets& targets,
                 std::span<double> sums, std::span<std::int64_t> counts) const;

  /// The same of a regression whose loss has answers of its own: `points` [n, outputs] are what is compared.
  void add_points(std::span<const double> points, const Targets& targets, std::span<double> sums) const;

  /// Adds to `scores` what the totals over all blocks say.
  void finish(std::span<const double> sums, std::span<const std::int64_t> counts, Scores& scores) const;

 private:
  void add_classes(std::span<const float> outputs, const Targets& targets, std::span<double> sums,
                   std::span<std::int64_t> counts) const;
  void add_outputs(std::span<const float> answers, const Targets& targets, std::span<double> sums,
                   std::span<std::int64_t> counts) const;
  void add_log_losses(std::span<const float> outputs, const Targets& targets, std::span<double> sums) const;
  template <class Answer>
  void add_errors(std::span<const Answer> answers, const Targets& targets, std::span<double> sums) const;
  void finish_classes(std::span<const double> sums, std::span<const std::int64_t> counts, Scores& scores) const;
  void finish_targets(std::span<const double> sums, Scores& scores) const;
  [[nodiscard]] std::size_t num_log_sums() const noexcept { return log_loss_ ? 2 : 0; }

  Task task_;
  std::size_t outputs_;
  TargetUnits units_;
  SampleExtras extras_;
  bool log_loss_;
};

}  // namespace lockstep
