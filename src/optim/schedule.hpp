// Learning-rate schedules: pure functions of the step. One that goes by scores is in plateau.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "lockstep/run_config.hpp"

namespace lockstep {

/// The factor on the base learning rate, by step.
class Schedule {
 public:
  virtual ~Schedule() = default;

  /// Factor for step `step`, counted from 0.
  [[nodiscard]] double factor(std::uint64_t step) const;

  /// True when a length was taken from the run's length, so that a longer run stretches it.
  [[nodiscard]] bool spans_run() const noexcept { return spans_run_; }

 protected:
  /// The factor without warm-up, `step` counted from the end of the warm-up.
  [[nodiscard]] virtual double shape(std::uint64_t step) const = 0;

 private:
  friend std::unique_ptr<Schedule> make_schedule(const Component& config, double lr, std::uint64_t total_steps);
  std::uint64_t warmup_steps_ = 0;
  bool spans_run_ = false;
};

[[nodiscard]] std::vector<std::string_view> schedule_names();

/// Types and keys, each with warmup_steps (default 0: the factor rises as (step+1)/warmup_steps over the first steps):
/// constant; step (step_size, gamma); linear (start_factor, end_factor, total_iters); polynomial (total_iters, power);
/// cosine (T_max, eta_min); plateau (a Plateau's, and monitor), whose factor is 1 behind the warm-up, for it is the
/// base rate that falls. Names, formulas and defaults are PyTorch's StepLR, LinearLR, PolynomialLR and
/// CosineAnnealingLR counted in steps, but a length that is not given spans the rest of the run behind the warm-up
/// (step_size must be given). Beyond its length a schedule holds its last value; step goes on.
/// `lr` is the base learning rate (eta_min is absolute); `total_steps` the length of the run.
/// Errors: config (unknown type, listing the known ones; bad options).
[[nodiscard]] std::unique_ptr<Schedule> make_schedule(const Component& config, double lr, std::uint64_t total_steps);

}  // namespace lockstep
