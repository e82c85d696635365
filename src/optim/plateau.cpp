#include "optim/plateau.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "optim/elements.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kMaxEpochs = std::numeric_limits<std::int64_t>::max();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

Plateau::Plateau(const Component& schedule, double lr, bool larger_is_better)
    : lr_(lr),
      larger_is_better_(larger_is_better),
      factor_(below_one(schedule.options, "factor", 0.1)),
      patience_(schedule.options.integer_in("patience", 0, kMaxEpochs, 10)),
      threshold_(non_negative(schedule.options, "threshold", 1e-4)),
      cooldown_(schedule.options.integer_in("cooldown", 0, kMaxEpochs, 0)),
      min_lr_(non_negative(schedule.options, "min_lr", 0.0)),
      eps_(non_negative(schedule.options, "eps", 1e-8)),
      best_(larger_is_better ? -kInfinity : kInfinity) {
  schedule.options.expect_only(
      {"monitor", "factor", "patience", "threshold", "cooldown", "min_lr", "eps", "warmup_steps"});
}

void Plateau::add(double score) {
  if (better(score)) {
    best_ = score;
    bad_epochs_ = 0;
  } else {
    ++bad_epochs_;
  }
  if (cooldown_left_ > 0) {
    --cooldown_left_;
    bad_epochs_ = 0;
  }
  if (bad_epochs_ <= patience_) return;
  if (const double reduced = std::max(lr_ * factor_, min_lr_); lr_ - reduced > eps_) lr_ = reduced;
  cooldown_left_ = cooldown_;
  bad_epochs_ = 0;
}

// Better by a share of the best so far, in its size: of a negative one best * (1 - threshold) would be worse where less
// is better. Before the first score there is none.
bool Plateau::better(double score) const noexcept {
  const bool negative = std::isfinite(best_) && best_ < 0;
  const double border = best_ * (larger_is_better_ != negative ? 1 + threshold_ : 1 - threshold_);
  return larger_is_better_ ? score > border : score < border;
}

}  // namespace lockstep
