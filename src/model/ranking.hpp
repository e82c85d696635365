// Scores that go by the order of all samples, and those of classes and errors, as pure functions.
//
// Formulas, and what happens at ties, are scikit-learn's: roc_auc_score, average_precision_score,
// precision_recall_fscore_support (zero_division = 0), log_loss, and for errors numpy.quantile, with weights
// median_absolute_error. The same samples give the same bits in whatever order they come.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace lockstep {

/// What a net says to one sample of one class, or of one binary output.
struct RankedSample {
  float score = 0;        ///< larger: more likely of the class
  float weight = 1;       ///< of the sample
  bool positive = false;  ///< whether it is of the class
};

struct RankScores {
  /// Area under the ROC curve: the share of pairs of one sample in the class and one not in which the first has the
  /// larger score, ties counting half; pairs weigh the product of their weights. Unset where one side has no weight.
  std::optional<double> auc;
  /// Sum over the scores, from the largest on, of the precision there times what recall grows. Unset where no sample is
  /// in the class, where none is not, and where a weight is negative: precisions would be no shares then.
  std::optional<double> average_precision;
};

/// Sorts `samples`.
[[nodiscard]] RankScores rank_scores(std::span<RankedSample> samples);

/// What a threshold is to be the best by: F1, or Youden's J, recall of the class + recall of the rest - 1.
enum class ThresholdRule { f1, youden };

/// A cut through probabilities: those above it are of the class.
struct Threshold {
  double value = 0.5;
  double score = 0;  ///< F1 or J there
};

/// The best cut, half-way between two probabilities that occur (or below the smallest); of equally good ones the
/// largest. Unset where one side has no weight, or no cut is better than none. Sorts `samples`, whose scores are
/// probabilities, or below 0 where a net has said nothing: these are never above it.
[[nodiscard]] std::optional<Threshold> best_threshold(ThresholdRule rule, std::span<RankedSample> samples);

/// Weights of the samples of one class.
struct ClassSums {
  double labelled = 0;  ///< whose label it is
  double answered = 0;  ///< whose answer it is
  double right = 0;     ///< both
};

/// 0 where it would be 0/0.
struct ClassScores {
  double precision = 0;
  double recall = 0;
  double f1 = 0;
};

[[nodiscard]] ClassScores class_scores(const ClassSums& sums);
/// Means over the classes that occur, as a label or as an answer.
[[nodiscard]] ClassScores macro_scores(std::span<const ClassSums> classes);

/// -log of the probability that the logits of a row give to its label: softmax.
[[nodiscard]] double log_loss_of_label(std::span<const float> logits, std::size_t label);
/// -log of the probability that a logit gives to its target, 0 to 1: sigmoid.
[[nodiscard]] double log_loss_of_target(float logit, float target);

/// How wrong an answer is.
struct WeighedError {
  double size = 0;    ///< |error|
  double weight = 1;  ///< of the sample
};

/// The shares of samples of which error_quantiles tells the largest error.
inline constexpr std::array<double, 3> kErrorQuantiles{0.5, 0.9, 0.95};

struct ErrorQuantiles {
  std::array<double, 3> at{};  ///< by kErrorQuantiles
  double largest = 0;
};

/// Where all weights are 1 with numpy's linear interpolation between two errors; else the first error, from the
/// smallest on, at which so large a share of the weight is reached. Unset where there is no weight, or a negative one.
/// Sorts `errors`.
[[nodiscard]] std::optional<ErrorQuantiles> error_quantiles(std::span<WeighedError> errors);

}  // namespace lockstep
