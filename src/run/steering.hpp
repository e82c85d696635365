// What follows from the scores of the epochs: which checkpoint is best, whether the run ends early, the learning rate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "lockstep/run_config.hpp"
#include "model/loss.hpp"
#include "optim/plateau.hpp"
#include "score/monitor.hpp"

namespace lockstep {

/// Which splits `run` scores.
[[nodiscard]] ScoredSplits scored_splits(const RunConfig& run);

/// Knows nothing but the run and the rows of its history that it was given: a run that goes on gives those of its
/// checkpoint, and is steered as if it had never stopped.
class Steering {
 public:
  /// `run` must be resolved (learning rate set).
  /// Errors: config (names of monitors; options of the schedule; early_stop and checkpoint that contradict each other).
  Steering(const RunConfig& run, const Loss& loss, std::size_t outputs);

  /// Takes the rows of `history` that it has not seen yet. One without the score that early stopping watches counts
  /// neither for it nor against it.
  void follow(const History& history);

  /// The scores by which the run is steered, each once.
  [[nodiscard]] std::vector<Monitor> monitors() const;

  /// The score that says which checkpoint is best.
  [[nodiscard]] const Monitor& best() const noexcept { return best_; }
  /// Whether early stopping ends the run behind the last row.
  [[nodiscard]] bool stops() const noexcept { return early_stop_ && waited_ >= early_stop_->patience; }
  /// Whether a run that is so far has nothing left to do. Within an epoch early stopping waits for its scores.
  [[nodiscard]] bool finished(const Position& position) const noexcept {
    return position.epoch >= epochs_ || (position.position == 0 && stops());
  }
  /// "test.loss has not improved for 10 epochs".
  [[nodiscard]] std::string why_it_stops() const;
  /// Whether the run ends with the state of its best checkpoint.
  [[nodiscard]] bool restores_best() const noexcept { return early_stop_ && early_stop_->restore_best; }
  /// The learning rate of the next epoch, before the schedule's factor.
  [[nodiscard]] double base_lr() const noexcept { return plateau_ ? plateau_->lr() : lr_; }

 private:
  std::uint64_t epochs_;
  double lr_;
  Monitor best_;
  std::optional<EarlyStop> early_stop_;
  std::optional<Monitor> stop_monitor_;
  std::optional<double> stop_best_;
  std::int64_t waited_ = 0;  // epochs with a score since the last improvement
  std::optional<Monitor> plateau_monitor_;
  std::optional<Plateau> plateau_;
  std::size_t seen_ = 0;  // rows
};

}  // namespace lockstep
