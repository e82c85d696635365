// Batches of a data set that is larger than memory: see data/stream_plan.hpp for their order.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "comm/communicator.hpp"
#include "data/shard_plan.hpp"
#include "data/window_reader.hpp"
#include "feed/epoch_batch.hpp"
#include "feed/run_data.hpp"

namespace lockstep {

/// One batch at a time. A rank waits for windows of its shards in select() alone, and only in those batches in which
/// some shard of some rank begins a window: all ranks know these, so that they can agree there on what went wrong.
class StreamBatch final : public EpochBatch {
 public:
  /// Opens the data anew, for the thread that reads it. `run` must be resolved. Collective. Errors, agreed: data, io.
  StreamBatch(const Communicator& comm, const RunData& data, const RunConfig& run);

  void start_epoch(std::uint64_t epoch) override;
  double select(std::size_t index) override;

  [[nodiscard]] std::size_t samples() const override { return plan_.positions(batch_).size(); }
  [[nodiscard]] SampleExtras extras() const override { return extras_; }
  [[nodiscard]] std::size_t rows(std::size_t shard) const override { return shards_.rows(samples(), shard).size(); }
  void gather(std::size_t shard, const BatchRows& rows) override;

 private:
  // Seconds that this rank has waited for data.
  double move_to(std::size_t index);

  const Communicator& comm_;
  const Normalization& normalization_;
  SampleExtras extras_;
  StreamPlan stream_;
  EpochPlan plan_;
  ShardPlan shards_;
  std::uint64_t seed_;
  std::uint64_t epoch_ = 0;
  std::size_t batch_ = 0;
  std::size_t next_ = 0;
  std::vector<std::size_t> entries_;  // batches of the epoch in which a shard begins a window
  bool started_ = false;              // the reader follows the batches
  std::optional<WindowReader> reader_;
  std::vector<WindowReader::Read> reads_;  // told to the timeline
};

}  // namespace lockstep
