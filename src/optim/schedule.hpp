// Learning-rate schedules: pure functions of the step. One that goes by scores is in plateau.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/type_info.hpp"
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
/// What is known of each type, but for warmup_steps, which all take.
[[nodiscard]] std::vector<TypeInfo> schedule_types();

/// Types and keys are those of the table in schedule.cpp, each with warmup_steps: the factor rises as
/// (step+1)/warmup_steps over the first steps. Names, formulas and defaults are PyTorch's StepLR, LinearLR,
/// PolynomialLR and CosineAnnealingLR counted in steps, but a length that is not given spans the rest of the run behind
/// the warm-up. Beyond its length a schedule holds its last value; step goes on. Of plateau the factor is 1 behind the
/// warm-up, for it is the base rate that falls. `lr` is the base learning rate (eta_min is absolute); `total_steps` the
/// length of the run. Errors: config (unknown type, listing the known ones; bad options).
[[nodiscard]] std::unique_ptr<Schedule> make_schedule(const Component& config, double lr, std::uint64_t total_steps);

}  // namespace lockstep
