// How well a model does on some data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

/// Of one target of a regression, in its own units; as in Scores.
struct TargetScores {
  std::optional<double> r2 = {};
  std::optional<double> explained_variance = {};
  std::optional<double> rmse = {};
  std::optional<double> mae = {};
  std::optional<double> mape = {};
  std::optional<double> error_median = {};
  std::optional<double> error_p90 = {};
  std::optional<double> error_p95 = {};
  std::optional<double> error_max = {};

  /// Those that are set, by name.
  [[nodiscard]] std::vector<std::pair<std::string, double>> named() const;
};

/// Scores over all samples of a data set, by their weights where they have some; targets that are missing are left out.
/// What a task has no meaning for is unset.
struct Scores {
  std::size_t samples = 0;
  double loss = 0;                 ///< mean over the samples, in the units the net is trained in
  std::optional<double> accuracy;  ///< classification, binary: share of right answers (binary: of right outputs)
  std::optional<double> top5;  ///< classification with more than 5 classes: share with the label among the 5 largest
  std::optional<double> macro_recall;  ///< classification: mean of the recalls of the classes that occur
  /// Binary: of answers of 1; of several outputs, and of classes, the mean over those that occur.
  std::optional<double> precision;
  std::optional<double> recall;  ///< binary: the same
  std::optional<double> f1;      ///< classification, binary: the same
  /// Classification, binary: mean of -log of the probability of what is true; unset where the loss is that.
  std::optional<double> log_loss;
  /// Classification, binary: area under the ROC curve, of classes each against the rest; by the order of all samples.
  std::optional<double> auc;
  std::optional<double> average_precision;  ///< the same; unset where a sample has a negative weight
  std::optional<double> r2;    ///< regression: mean over the targets of 1 - SSE/SST; unset if a target is constant
  std::optional<double> rmse;  ///< regression: in the targets' own units, over all targets
  std::optional<double> mae;   ///< regression: in the targets' own units, over all targets
  std::optional<double> explained_variance;  ///< regression: as r2, but for what all errors have in common
  std::optional<double> mape;                ///< regression: mean of |error / target|; unset where a target is 0
  // Regression: |error| that so many of all targets keep below, and the largest; by the order of all samples.
  std::optional<double> error_median;
  std::optional<double> error_p90;
  std::optional<double> error_p95;
  std::optional<double> error_max;
  std::vector<TargetScores> targets = {};  ///< regression: [targets]
  std::string left_out = {};               ///< which scores that were asked for are not there, and why
  /// Scores that only this loss has, by name: "nll", "coverage95", "pinball_q0.1", "deviance".
  std::vector<std::pair<std::string, double>> own = {};
  /// named(), each sample counted once; empty where samples have no weights.
  std::vector<std::pair<std::string, double>> unweighted = {};
  // By class: classification, and binary with one output (classes 0 and 1). Each sample counts once.
  std::vector<std::int64_t> class_samples;  ///< [classes], samples with that label
  std::vector<std::int64_t> class_right;    ///< [classes], of those, the right answers
  std::vector<std::int64_t> confusion;      ///< [classes, classes], row = label, column = answer; up to 1000 classes

  /// The set scores by name ("loss", "accuracy", ...), in a fixed order.
  [[nodiscard]] std::vector<std::pair<std::string, double>> named() const;
};

}  // namespace lockstep
