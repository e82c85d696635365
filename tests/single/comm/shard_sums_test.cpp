#include "comm/shard_sums.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>
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

// Parts of the last shard that are complete early are added early, with the same sums.
TEST(ShardSums, AddsFromTheEndOnBeforeAShardIsDone) {
  for (std::size_t shards = 1; shards <= 9; ++shards) {
    for (std::size_t ranks = 1; ranks <= shards; ++ranks) {
      const Range owned = part_of(shards, ranks / 2, ranks);
      std::vector<std::vector<float>> memory(ShardSums::buffers_needed(shards, owned), std::vector<float>(10));
      std::vector<std::span<float>> buffers(memory.begin(), memory.end());
      ShardSums sums(shards, owned, buffers);
      for (std::size_t bad = owned.begin; bad <= owned.end; ++bad) {  // the last time none is
        for (const std::size_t s : sums.order()) {
          EXPECT_EQ(sums.is_last(), s == sums.order().back());
          for (std::size_t i = 7; i < 10; ++i) sums.next()[i] = leaf(s);
          if (s == bad) sums.next()[8] = std::numeric_limits<float>::infinity();
          sums.add_from(7);
          if (sums.is_last() && bad == owned.end) {
            for (std::size_t node = 0; node < sums.nodes().size(); ++node) {
              EXPECT_EQ(sums.sum(node)[9], tree_of(sums.nodes()[node]));
            }
          }
          for (std::size_t i = 0; i < 7; ++i) sums.next()[i] = leaf(s);
          sums.add_from(3);
          sums.push();
        }
        for (std::size_t node = 0; node < sums.nodes().size(); ++node) {
          for (const std::size_t i : {0U, 2U, 3U, 6U, 7U, 9U}) {
            EXPECT_EQ(sums.sum(node)[i], tree_of(sums.nodes()[node])) << shards << " shards, " << ranks << " ranks";
          }
        }
        const std::optional<std::size_t> expected = owned.contains(bad) ? std::optional(bad) : std::nullopt;
        EXPECT_EQ(sums.not_finite(), expected) << shards << " shards, " << ranks << " ranks";
        sums.reset();
      }
    }
  }
}

// A net of several stages brings its last elements from all shards first.
TEST(ShardSums, TakesTheElementsInRoundsToo) {
  for (std::size_t shards = 1; shards <= 9; ++shards) {
    for (std::size_t ranks = 1; ranks <= shards; ++ranks) {
      const Range owned = part_of(shards, ranks / 2, ranks);
      std::vector<std::vector<float>> memory(ShardSums::buffers_needed(shards, owned), std::vector<float>(10));
      std::vector<std::span<float>> buffers(memory.begin(), memory.end());
      ShardSums sums(shards, owned, buffers);
      for (int step = 0; step < 2; ++step) {
        for (const Range round : {Range{7, 10}, Range{2, 7}, Range{0, 2}}) {
          for (const std::size_t s : sums.order()) {
            EXPECT_EQ(sums.is_last(), s == sums.order().back());
            for (std::size_t i = round.begin; i < round.end; ++i) sums.next()[i] = leaf(s) * static_cast<float>(1 + i);
            if (s % 2 == 0) sums.add_from(round.begin + 1);
            sums.push(round.begin);
          }
        }
        for (std::size_t node = 0; node < sums.nodes().size(); ++node) {
          EXPECT_EQ(sums.sum(node)[0], tree_of(sums.nodes()[node])) << shards << " shards, " << ranks << " ranks";
          EXPECT_EQ(sums.sum(node)[3], 4 * tree_of(sums.nodes()[node]));
          EXPECT_EQ(sums.sum(node)[7], 8 * tree_of(sums.nodes()[node]));
        }
        EXPECT_EQ(sums.not_finite(), std::nullopt);
        sums.reset();
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

TEST(ShardSums, KnowsWhichShardBroughtWhatIsNotFinite) {
  for (std::size_t shards = 1; shards <= 9; ++shards) {
    for (std::size_t ranks = 1; ranks <= shards; ++ranks) {
      const Range owned = part_of(shards, ranks - 1, ranks);
      std::vector<std::vector<float>> memory(ShardSums::buffers_needed(shards, owned), std::vector<float>(100));
      std::vector<std::span<float>> buffers(memory.begin(), memory.end());
      ShardSums sums(shards, owned, buffers);
      for (std::size_t bad = owned.begin; bad <= owned.end; ++bad) {  // the last time none is
        for (const std::size_t s : sums.order()) {
          std::ranges::fill(sums.next(), 1.0F);
          if (s == bad) sums.next()[70] = std::numeric_limits<float>::infinity();
          sums.push();
        }
        const std::optional<std::size_t> expected = owned.contains(bad) ? std::optional(bad) : std::nullopt;
        EXPECT_EQ(sums.not_finite(), expected) << shards << " shards, " << ranks << " ranks";
        sums.reset();
      }
    }
  }
}

TEST(ShardSums, AnOverflowOfTwoIsPutDownToTheFirst) {
  std::vector<std::vector<float>> memory(2, std::vector<float>(3));
  ShardSums sums(2, {0, 2}, {memory[0], memory[1]});
  for (int shard = 0; shard < 2; ++shard) {
    std::ranges::fill(sums.next(), 3e38F);
    sums.push();
  }
  EXPECT_EQ(sums.not_finite(), 0U);
}

}  // namespace
}  // namespace lockstep
