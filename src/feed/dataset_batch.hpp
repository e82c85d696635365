// Batches of a data set in memory: the order of an epoch, cut into batches and shards.
#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.hpp"
#include "data/normalization.hpp"
#include "data/shard_plan.hpp"
#include "feed/epoch_batch.hpp"

namespace lockstep {

/// One batch at a time of a shuffled epoch over `rows` of a data set, which are as many as the plan has samples.
/// Dataset, normalisation and rows must outlive it.
class DatasetBatch final : public EpochBatch {
 public:
  DatasetBatch(const Dataset& data, const Normalization& normalization, EpochPlan epoch, ShardPlan shards,
               std::uint64_t seed, RowList rows = {});

  /// The order of epoch `epoch`: a pure function of (seed, epoch, n) and the rows.
  void start_epoch(std::uint64_t epoch) override;
  double select(std::size_t index) override {
    positions_ = plan_.positions(index);
    return 0;
  }

  [[nodiscard]] std::size_t samples() const override { return positions_.size(); }
  [[nodiscard]] SampleExtras extras() const override { return data_.extras(); }
  [[nodiscard]] std::size_t rows(std::size_t shard) const override { return shards_.rows(samples(), shard).size(); }
  void gather(std::size_t shard, const BatchRows& rows) override;

 private:
  const Dataset& data_;
  const Normalization& normalization_;
  EpochPlan plan_;
  ShardPlan shards_;
  std::uint64_t seed_;
  RowList rows_;
  std::vector<std::uint32_t> order_;  // [n] sample at each position of the epoch
  Range positions_;
};

}  // namespace lockstep
