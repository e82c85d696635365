#include "comm/shard_sums.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <vector>

#include "core/tree.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

// One number a gradient: large and small ones, so that the order of additions shows.
float leaf(std::size_t shard) {
  return (shard % 3 == 0 ? 1e6F : 0.1F) + static_cast<float>(shard) * 0.3F;
}

float tree_of(Range range) {
  if (range.size() == 1) return leaf(range.begin);
  const std::size_t mid = tree_split(range);
  return tree_of({range.begin, mid}) + tree_of({mid, range.end});
}

TEST(ShardSums, EachNodeIsTheSumOfItsTree) {
  for (std::size_t shards = 1; shards <= 20; ++shards) {
    for (std::size_t ranks = 1; ranks <= shards; ++ranks) {
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        const Range owned = part_of(shards, rank, ranks);
        std::vector<float> memory(ShardSums::buffers_needed(shards, owned));
        std::vector<std::span<float>> buffers;
        for (float& value : memory) buffers.emplace_back(&value, 1);
        ShardSums sums(shards, owned, buffers);
        for (int step = 0; step < 2; ++step) {
          ASSERT_EQ(sums.order().size(), owned.size());
          for (const std::size_t s : sums.order()) {
            ASSERT_TRUE(owned.contains(s));
            sums.next()[0] = leaf(s);
            sums.push();
          }
          for (std::size_t node = 0; node < sums.nodes().size(); ++node) {
            ASSERT_EQ(sums.sum(node)[0], tree_of(sums.nodes()[node]))
                << shards << " shards, rank " << rank << " of " << ranks;
          }
          sums.reset();
        }
      }
    }
  }
}

TEST(ShardSums, NeedsAtMostLogShardsPlusOneBuffers) {
  for (std::size_t shards = 1; shards <= 256; ++shards) {
    for (std::size_t ranks = 1; ranks <= shards; ++ranks) {
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        EXPECT_LE(ShardSums::buffers_needed(shards, part_of(shards, rank, ranks)), std::bit_width(shards - 1) + 1U)
            << shards << " shards, rank " << rank << " of " << ranks;
      }
    }
  }
}

TEST(ShardSums, RefusesMoreGradientsThanShards) {
  std::vector<float> memory(1);
  ShardSums sums(1, {0, 1}, {std::span<float>(memory)});
  sums.next()[0] = 1;
  sums.push();
  EXPECT_THROW((void)sums.next(), Error);
}

}  // namespace
}  // namespace lockstep
