#include "train/epoch_batch.hpp"

#include "train/dataset_batch.hpp"
#include "train/stream_batch.hpp"

namespace lockstep {

std::unique_ptr<EpochBatch> make_epoch_batch(const Communicator& comm, const RunData& data, EpochPlan epoch,
                                             const RunConfig& run) {
  if (data.train.streamed()) return std::make_unique<StreamBatch>(comm, data, run);
  const ShardPlan shards{.shards = static_cast<std::size_t>(*run.train.shards),
                         .ranks = static_cast<std::size_t>(comm.size())};
  return std::make_unique<DatasetBatch>(data.train, data.normalization, epoch, shards,
                                        static_cast<std::uint64_t>(run.seed), data.split.train);
}

void gather_samples(const Table& x, const Table& y, const Table& w, const Normalization& normalization,
                    std::span<const std::uint32_t> samples, const BatchRows& rows) {
  gather_rows(x, normalization.x, samples, rows.x);
  if (rows.labels.empty()) {
    gather_rows(y, normalization.y, samples, rows.values);
  } else {
    gather_labels(y, samples, rows.labels);
  }
  if (!rows.weights.empty()) gather_rows(w, {}, samples, rows.weights);
}

}  // namespace lockstep
