// A learning rate that falls where a score has stopped to improve.
#pragma once

#include <cstdint>

#include "core/type_info.hpp"
#include "lockstep/run_config.hpp"

namespace lockstep {

/// torch.optim.lr_scheduler.ReduceLROnPlateau with threshold_mode "rel": the same names, numbers and defaults; but the
/// threshold is a share of the best score's size, so that negative scores have to be better too.
class Plateau {
 public:
  /// `schedule` is of type plateau; `lr` the rate to begin with.
  /// Errors: config (bad options).
  Plateau(const Component& schedule, double lr, bool larger_is_better)
      : Plateau(complete(info(), schedule.options), lr, larger_is_better) {}
  /// Its row of the table of schedules.
  [[nodiscard]] static const TypeInfo& info();

  /// The score of one more epoch. A NaN is no improvement.
  void add(double score);
  /// The rate for the next epoch, without warm-up.
  [[nodiscard]] double lr() const noexcept { return lr_; }

 private:
  Plateau(const Options& options, double lr, bool larger_is_better);
  [[nodiscard]] bool better(double score) const noexcept;

  double lr_;
  bool larger_is_better_;
  double factor_;
  std::int64_t patience_;
  double threshold_;
  std::int64_t cooldown_;
  double min_lr_;
  double eps_;
  double best_;
  std::int64_t bad_epochs_ = 0;
  std::int64_t cooldown_left_ = 0;
};

}  // namespace lockstep
