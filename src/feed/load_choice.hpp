// Whether a run's data is held in memory or streamed, and how.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "data/open_dataset.hpp"
#include "data/stream_plan.hpp"
#include "lockstep/run_config.hpp"

namespace lockstep {

/// Settles what `run.data` leaves open: auto becomes memory or stream, and an unset block of streamed data a number.
/// Shards and paths must be resolved. `notices`: what the choice was, where there was one, and what makes it slow.
/// Collective; looks at headers alone. Errors, agreed: data (files that cannot be streamed, or opened), config, io.
void resolve_load(const Communicator& comm, RunConfig& run, std::vector<std::string>& notices);

/// The plan of streamed training data; `run` must be resolved. Errors: config.
[[nodiscard]] StreamPlan make_stream_plan(const RunConfig& run, const OpenDataset& train);

/// Whether data of `bytes` is to be streamed where a run says `config`. Errors: config.
[[nodiscard]] bool wants_stream(const DataConfig& config, std::size_t bytes);

}  // namespace lockstep
