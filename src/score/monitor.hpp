// A score that says how well a run does: which checkpoint is best, when it ends, when the learning rate falls.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "lockstep/scores.hpp"
#include "model/loss.hpp"

namespace lockstep {

/// What an epoch has come to. A split that the run does not have has no scores.
struct EpochScores {
  double train_loss = std::numeric_limits<double>::quiet_NaN();  ///< mean over the epoch, while training
  std::optional<Scores> validation = {};
  std::optional<Scores> test = {};
  std::optional<Scores> train = {};  ///< by the weights at the epoch's end, with log.train_scores
};

/// Which splits a run scores after each epoch.
struct ScoredSplits {
  bool validation = false;
  bool test = false;
};

/// Names of the scores that an evaluation of a net with this loss may give, in the order of Scores::named().
[[nodiscard]] std::vector<std::string> score_names(const Loss& loss, std::size_t outputs);

/// Those of a task that go by the order of all samples. Whether a score is one: "auc", or "test.auc".
[[nodiscard]] std::vector<std::string> order_scores(Task task);
[[nodiscard]] bool goes_by_order(std::string_view score);

/// Whether less of a score of a net with this loss is better: "loss", or "test.rmse". Unset where neither more nor less
/// is, as of a coverage: such a score says nothing of better and worse.
[[nodiscard]] std::optional<bool> smaller_is_better(std::string_view score, const Loss& loss);

/// The value of a column in row `row` of a history; NaN where there is none.
[[nodiscard]] double history_value(const History& history, std::size_t row, std::string_view column);

class Monitor {
 public:
  /// `name`: auto, train.loss, or validation. or test. and a score of the task. auto is accuracy, or the loss of a
  /// regression, of the validation data, else of the test data, else train.loss. `key` is for messages.
  /// Errors: config (unknown, of another task, of a split that is not scored), listing the known ones.
  Monitor(const std::string& name, const Loss& loss, std::size_t outputs, ScoredSplits splits,
          std::string_view key = "checkpoint.monitor");

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// Of the run file, that names it.
  [[nodiscard]] const std::string& key() const noexcept { return key_; }
  [[nodiscard]] bool larger_is_better() const noexcept { return larger_is_better_; }
  /// What epoch `row` of `history` has come to; NaN where it has no such score.
  [[nodiscard]] double value(const History& history, std::size_t row) const;
  /// Whether `value` is better by more than `min_delta` than the best so far; ties are not, a NaN never is.
  [[nodiscard]] bool better(double value, std::optional<double> best, double min_delta = 0) const;

 private:
  std::string name_;
  std::string key_;
  bool larger_is_better_ = false;
};

}  // namespace lockstep
