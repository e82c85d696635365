// Notices on a run that can be trained but may not be what was meant: its numbers, its classes, its schedule.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "feed/run_data.hpp"
#include "step/engine_plan.hpp"

namespace lockstep {

/// Of classes without training samples, of the learning rate, and of the numbers themselves, of which at most some
/// megabytes are looked at. Rank 0, which reads some rows where they are streamed. Errors: data, io.
[[nodiscard]] std::vector<std::string> run_notices(const EnginePlan& plan, const RunData& data,
                                                   std::uint64_t total_steps);

}  // namespace lockstep
