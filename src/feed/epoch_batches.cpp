#include "feed/epoch_batches.hpp"

#include "feed/dataset_batch.hpp"
#include "feed/stream_batch.hpp"

namespace lockstep {

std::unique_ptr<EpochBatch> make_epoch_batch(const Communicator& comm, const RunData& data, EpochPlan epoch,
                                             const RunConfig& run) {
  if (data.train.streamed()) return std::make_unique<StreamBatch>(comm, data, run);
  const ShardPlan shards{.shards = static_cast<std::size_t>(*run.train.shards),
                         .ranks = static_cast<std::size_t>(comm.size())};
  return std::make_unique<DatasetBatch>(data.train, data.normalization, epoch, shards,
                                        static_cast<std::uint64_t>(run.seed), data.split.train);
}

}  // namespace lockstep
