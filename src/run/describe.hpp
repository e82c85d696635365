// What a run says of itself at its start.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "compute/compute.hpp"
#include "data/shard_plan.hpp"
#include "feed/run_data.hpp"
#include "score/epoch_history.hpp"
#include "step/engine_plan.hpp"

namespace lockstep {

/// Net, data, shards, batches and steps: two lines.
[[nodiscard]] std::vector<std::string> describe_run(const EnginePlan& plan, const RunData& data, const EpochPlan& epoch,
                                                    std::uint64_t total_steps);

/// Bytes of a row of streamed training data, x and y.
[[nodiscard]] std::size_t stream_row_bytes(const RunData& data);

/// How the training data is streamed; empty where it is not. Collective.
[[nodiscard]] std::string describe_stream(const EnginePlan& plan, const RunData& data);

/// Bytes that a rank needs while scores are taken; 0 where none are.
[[nodiscard]] std::size_t scoring_bytes(const EnginePlan& plan, const RunData& data, const ScoreWishes& wishes);

/// Memory that a rank and the fullest host need. Collective.
[[nodiscard]] std::string describe_memory(const EnginePlan& plan, const RunData& data, const ScoreWishes& wishes);

/// What is to be known of the exchange: on what the bits depend, and that more than needed goes between hosts. Local.
[[nodiscard]] std::vector<std::string> exchange_notices(const EnginePlan& plan);

/// What to warn of: ranks that compute with unlike machine code, and ranks whose threads lack cores.
/// Collective.
[[nodiscard]] std::vector<std::string> machine_warnings(const Communicator& comm, const Compute& compute);

}  // namespace lockstep
