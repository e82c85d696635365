// The order of a streamed epoch: every sample once, whatever the counts.
#include "data/stream_plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <vector>

namespace lockstep {
namespace {

// The samples of all batches of a shard, in order, by its windows; checks what StreamPlan promises on the way.
std::vector<std::size_t> samples_of(const StreamPlan& plan, const StreamOrder& order, std::size_t shard) {
  const Range part = plan.part(shard);
  std::vector<std::size_t> samples;
  std::size_t place = part.begin;
  for (std::size_t index = 0; index < order.windows(shard); ++index) {
    const Range window = order.window(shard, index);
    EXPECT_EQ(window.begin, place);
    EXPECT_FALSE(window.empty());
    EXPECT_LE(window.size(), plan.max_window_rows());
    std::vector<std::size_t> rows;
    for (const StreamOrder::Piece& piece : order.pieces(window)) {
      EXPECT_EQ(piece.place, window.begin + rows.size());
      EXPECT_LE(piece.rows.size(), plan.shape().block);
      EXPECT_EQ(piece.rows.begin / plan.shape().block, (piece.rows.end - 1) / plan.shape().block);
      for (std::size_t row = piece.rows.begin; row < piece.rows.end; ++row) rows.push_back(row);
    }
    EXPECT_EQ(rows.size(), window.size());
    std::vector<std::uint32_t> shuffled(rows.size());
    order.shuffle(shard, index, shuffled);
    for (const std::uint32_t row : shuffled) samples.push_back(rows[row]);
    place = window.end;
  }
  EXPECT_EQ(place, part.end);
  return samples;
}

void check_batches(const StreamPlan& plan, const StreamOrder& order, const EpochPlan& epoch) {
  const ShardPlan shards{plan.shape().shards, 1};
  const std::vector<std::size_t> entries = order.entries();
  for (std::size_t shard = 0; shard < plan.shape().shards; ++shard) {
    std::set<std::size_t> windows_seen;
    std::size_t row = 0;
    for (std::size_t batch = 0; batch < epoch.batches(); ++batch) {
      const Range rows = plan.rows(batch, shard);
      ASSERT_EQ(rows.size(), shards.rows(epoch.positions(batch).size(), shard).size());
      if (rows.empty()) continue;
      ASSERT_EQ(rows.begin, row);
      row = rows.end;
      ASSERT_EQ(plan.batch_of(rows.begin, shard), batch);
      ASSERT_EQ(plan.batch_of(rows.end - 1, shard), batch);
      const std::size_t begin = plan.part(shard).begin;
      std::size_t touched = 0;
      for (std::size_t index = 0; index < order.windows(shard); ++index) {
        const Range window = order.window(shard, index);
        if (window.end <= begin + rows.begin || window.begin >= begin + rows.end) continue;
        ++touched;
        if (windows_seen.insert(index).second) {
          ASSERT_TRUE(std::ranges::binary_search(entries, batch));
        }
      }
      ASSERT_LE(touched, 2U);
    }
    ASSERT_EQ(row, plan.part(shard).size());
    ASSERT_EQ(windows_seen.size(), order.windows(shard));
  }
}

TEST(StreamPlan, EverySampleOnceInBatchesOfAtMostTwoWindows) {
  for (const std::size_t samples : {1U, 2U, 13U, 64U, 257U}) {
    for (const std::size_t batch : {1U, 3U, 16U, 64U, 300U}) {
      for (const std::size_t shards : {1U, 2U, 5U, 8U, 20U}) {
        for (const std::size_t block : {1U, 3U, 8U, 100U, 400U}) {
          for (const std::size_t window : {1U, 10U, 40U, 1000U}) {
            SCOPED_TRACE(std::to_string(samples) + " samples, batch " + std::to_string(batch) + ", " +
                         std::to_string(shards) + " shards, block " + std::to_string(block) + ", window " +
                         std::to_string(window));
            const StreamPlan plan({samples, batch, shards, block, window});
            const StreamOrder order(plan, 7, 3);
            std::vector<int> visits(samples, 0);
            for (std::size_t shard = 0; shard < shards; ++shard) {
              for (const std::size_t sample : samples_of(plan, order, shard)) ++visits[sample];
            }
            ASSERT_TRUE(std::ranges::all_of(visits, [](int count) { return count == 1; }));
            check_batches(plan, order, {samples, batch});
          }
        }
      }
    }
  }
}

TEST(StreamPlan, TakesItsOrderFromSeedAndEpoch) {
  const StreamPlan plan({100, 10, 2, 5, 20});
  const std::vector<std::size_t> first = samples_of(plan, StreamOrder(plan, 1, 0), 0);
  EXPECT_EQ(samples_of(plan, StreamOrder(plan, 1, 0), 0), first);
  EXPECT_NE(samples_of(plan, StreamOrder(plan, 2, 0), 0), first);
  EXPECT_NE(samples_of(plan, StreamOrder(plan, 1, 1), 0), first);
}

TEST(StreamPlan, MixesTheBlocksOfAWindow) {
  const StreamPlan plan({4096, 64, 4, 16, 256});
  const StreamOrder order(plan, 1, 0);
  const std::vector<std::size_t> samples = samples_of(plan, order, 1);
  std::set<std::size_t> blocks;
  for (std::size_t i = 0; i < 64; ++i) blocks.insert(samples[i] / 16);
  EXPECT_GE(blocks.size(), 12U);  // of the window's 16
}

TEST(ChooseBlock, IsAWindowsSixteenthInWholeChunksOrAShardsSixteenth) {
  EXPECT_EQ(choose_block(1'000'000, 8, 16'000, 1), 1000U);
  EXPECT_EQ(choose_block(1'000'000, 8, 16'000, 300), 900U);
  EXPECT_EQ(choose_block(1'000'000, 8, 16'000, 4000), 4000U);
  EXPECT_EQ(choose_block(1'000'000, 8, 16'000, 4001), 1000U);  // it would leave a window too few blocks
  EXPECT_EQ(choose_block(1438, 8, 16'000, 1), 11U);
  EXPECT_EQ(choose_block(5, 8, 16'000, 100), 1U);
}

}  // namespace
}  // namespace lockstep
