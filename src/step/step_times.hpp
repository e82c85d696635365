// The phases of a step by name, so that no list of them is filled or read by place.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "lockstep/step_result.hpp"

namespace lockstep {

struct StepPhase {
  std::string_view name;
  double StepTimes::*seconds;
};

inline constexpr std::size_t kStepPhases = 7;
/// In the order in which files have them.
inline constexpr std::array<StepPhase, kStepPhases> kStepPhaseTable = {{{"input", &StepTimes::input},
                                                                        {"gather", &StepTimes::gather},
                                                                        {"forward", &StepTimes::forward},
                                                                        {"backward", &StepTimes::backward},
                                                                        {"wait", &StepTimes::wait},
                                                                        {"communication", &StepTimes::communication},
                                                                        {"exchange", &StepTimes::exchange}}};
static_assert(sizeof(StepTimes) == kStepPhases * sizeof(double), "each phase has its row");

inline StepTimes& operator+=(StepTimes& sum, const StepTimes& times) noexcept {
  for (const StepPhase& phase : kStepPhaseTable) sum.*phase.seconds += times.*phase.seconds;
  return sum;
}
[[nodiscard]] inline StepTimes operator/(StepTimes times, double divisor) noexcept {
  for (const StepPhase& phase : kStepPhaseTable) times.*phase.seconds /= divisor;
  return times;
}

}  // namespace lockstep
