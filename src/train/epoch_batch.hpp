// The batches of an epoch, one at a time, wherever the samples are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "comm/communicator.hpp"
#include "data/normalization.hpp"
#include "data/shard_plan.hpp"
#include "lockstep/batch.hpp"
#include "lockstep/run_config.hpp"
#include "train/run_data.hpp"

namespace lockstep {

class EpochBatch : public Batch {
 public:
  /// Goes to an epoch, whose order is a pure function of its number.
  virtual void start_epoch(std::uint64_t epoch) = 0;
  /// Chooses batch `index` of the epoch and waits until its samples are in memory. Returns the seconds waited.
  /// Collective. Errors, agreed: data, io (of samples that are read only now).
  virtual double select(std::size_t index) = 0;
};

/// The batches of `data`, from memory or streamed. All that is given must outlive it. Collective.
[[nodiscard]] std::unique_ptr<EpochBatch> make_epoch_batch(const Communicator& comm, const RunData& data,
                                                           EpochPlan epoch, const RunConfig& run);

/// Rows `samples` of x and y, normalised, and of w, where weights are asked for.
void gather_samples(const Table& x, const Table& y, const Table& w, const Normalization& normalization,
                    std::span<const std::uint32_t> samples, const BatchRows& rows);
inline void gather_samples(const Dataset& data, const Normalization& normalization,
                           std::span<const std::uint32_t> samples, const BatchRows& rows) {
  gather_samples(data.x, data.y, data.w, normalization, samples, rows);
}

}  // namespace lockstep
