// Every sample of an epoch is visited exactly once, whatever the counts.
#include "data/shard_plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace lockstep {
namespace {

TEST(EpochPlan, VisitsEverySampleOnceInRankShardAndBatch) {
  for (const std::size_t samples : {1U, 2U, 7U, 64U, 101U}) {
    for (const std::size_t batch : {1U, 3U, 8U, 64U, 200U}) {
      for (const std::size_t shards : {1U, 2U, 5U, 8U, 32U}) {
        for (const std::size_t ranks : {std::size_t{1}, std::size_t{2}, std::size_t{5}, shards}) {
          if (ranks > shards) continue;
          const EpochPlan epoch{samples, batch};
          const ShardPlan plan{shards, ranks};
          std::vector<int> visits(samples, 0);
          for (std::size_t b = 0; b < epoch.batches(); ++b) {
            const Range positions = epoch.positions(b);
            ASSERT_FALSE(positions.empty());
            ASSERT_LE(positions.size(), batch);
            for (std::size_t rank = 0; rank < ranks; ++rank) {
              const Range owned = plan.owned(rank);
              for (std::size_t shard = owned.begin; shard < owned.end; ++shard) {
                const Range rows = plan.rows(positions.size(), shard);
                ASSERT_LE(rows.size(), plan.max_rows(batch));
                for (std::size_t row = rows.begin; row < rows.end; ++row) ++visits[positions.begin + row];
              }
            }
          }
          EXPECT_TRUE(std::all_of(visits.begin(), visits.end(), [](int count) { return count == 1; }))
              << samples << " samples, batch " << batch << ", " << shards << " shards, " << ranks << " ranks";
        }
      }
    }
  }
}

TEST(EpochPlan, CutsOnlyTheLastBatchShort) {
  const EpochPlan epoch{10, 4};
  ASSERT_EQ(epoch.batches(), 3U);
  EXPECT_EQ(epoch.positions(0), (Range{0, 4}));
  EXPECT_EQ(epoch.positions(1), (Range{4, 8}));
  EXPECT_EQ(epoch.positions(2), (Range{8, 10}));
}

TEST(ShardPlan, GivesEveryRankAShardAndOneRunOfThem) {
  for (std::size_t shards = 1; shards <= 20; ++shards) {
    for (std::size_t ranks = 1; ranks <= shards; ++ranks) {
      std::size_t next = 0;
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        const Range owned = ShardPlan{shards, ranks}.owned(rank);
        EXPECT_EQ(owned.begin, next);
        EXPECT_FALSE(owned.empty());
        next = owned.end;
      }
      EXPECT_EQ(next, shards);
    }
  }
}

TEST(ShardPlan, CutsABatchTheSameForAnyRankCount) {
  // 10 samples over 4 shards: floor(10 s / 4).
  const std::vector<Range> expected = {{0, 2}, {2, 5}, {5, 7}, {7, 10}};
  for (const std::size_t ranks : {1U, 2U, 4U}) {
    for (std::size_t shard = 0; shard < 4; ++shard) {
      EXPECT_EQ((ShardPlan{4, ranks}.rows(10, shard)), expected[shard]);
    }
  }
}

TEST(ShardPlan, LeavesShardsEmptyWhenSamplesAreFewer) {
  const ShardPlan plan{5, 1};
  std::size_t filled = 0;
  for (std::size_t shard = 0; shard < 5; ++shard) filled += plan.rows(2, shard).size();
  EXPECT_EQ(filled, 2U);
  EXPECT_TRUE(plan.rows(2, 0).empty());
}

}  // namespace
}  // namespace lockstep
