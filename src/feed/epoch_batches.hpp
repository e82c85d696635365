// The batches of a run's epochs: which kind they are.
#pragma once

#include <memory>

#include "comm/communicator.hpp"
#include "data/shard_plan.hpp"
#include "feed/epoch_batch.hpp"
#include "feed/run_data.hpp"
#include "lockstep/run_config.hpp"

namespace lockstep {

/// The batches of `data`, from memory or streamed. All that is given must outlive it. Collective.
[[nodiscard]] std::unique_ptr<EpochBatch> make_epoch_batch(const Communicator& comm, const RunData& data,
                                                           EpochPlan epoch, const RunConfig& run);

}  // namespace lockstep
