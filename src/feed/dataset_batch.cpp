#include "feed/dataset_batch.hpp"

#include <algorithm>

#include "core/random.hpp"

namespace lockstep {

DatasetBatch::DatasetBatch(const Dataset& data, const Normalization& normalization, EpochPlan epoch, ShardPlan shards,
                           std::uint64_t seed, RowList rows)
    : data_(data),
      normalization_(normalization),
      plan_(epoch),
      shards_(shards),
      seed_(seed),
      rows_(rows),
      order_(epoch.samples) {}

void DatasetBatch::start_epoch(std::uint64_t epoch) {
  fill_permutation({seed_, RandomPurpose::order, 0, static_cast<std::uint32_t>(epoch), 0}, order_);
  if (rows_.empty()) return;
  for (std::uint32_t& sample : order_) sample = rows_[sample];
}

void DatasetBatch::gather(std::size_t shard, const BatchRows& rows) {
  const Range part = shards_.rows(samples(), shard);
  const auto chosen = std::span<const std::uint32_t>(order_).subspan(positions_.begin + part.begin, part.size());
  std::ranges::copy(chosen, rows.samples.begin());
  gather_samples(data_, normalization_, chosen, rows);
}

}  // namespace lockstep
