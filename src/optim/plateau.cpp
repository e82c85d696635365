#include "optim/plateau.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lockstep {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

const TypeInfo& Plateau::info() {
  using enum OptionType;
  const auto epochs = [](std::string_view name, std::int64_t fallback, std::string_view what) {
    return OptionInfo{.name = name, .type = integer, .what = what, .fallback = fallback, .low = 0};
  };
  static const TypeInfo row{
      "plateau",
      "`lr`, less where a score has stopped to improve",
      {{.name = "monitor",
        .type = text,
        .what = "a score as in `checkpoint.monitor`; auto: accuracy or loss of validation or test data",
        .fallback = "auto"},
       {.name = "factor",
        .what = "`lr` times `factor` when the score has not improved for more than ...",
        .fallback = 0.1,
        .low = 0,
        .high = 1,
        .below = true},
       epochs("patience", 10, "... so many epochs"),
       at_least_0("threshold", 1e-4, "share of the best score by which a better one has to differ"),
       epochs("cooldown", 0, "epochs after that which do not count"),
       at_least_0("min_lr", 0, "least learning rate"),
       at_least_0("eps", 1e-8, "a change of the rate that is not larger is not made"),
       epochs("warmup_steps", 0, "")}};
  return row;
}

Plateau::Plateau(const Options& options, double lr, bool larger_is_better)
    : lr_(lr),
      larger_is_better_(larger_is_better),
      factor_(options.number("factor")),
      patience_(options.integer("patience")),
      threshold_(options.number("threshold")),
      cooldown_(options.integer("cooldown")),
      min_lr_(options.number("min_lr")),
      eps_(options.number("eps")),
      best_(larger_is_better ? -kInfinity : kInfinity) {}

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
