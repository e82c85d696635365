#include "comm/placement.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace lockstep {
namespace {

std::vector<Block> some_blocks() {
  ParameterTable table;
  table.add("a", "weight", {300, 200}, ParameterKind::weight);
  table.add("a", "bias", {300}, ParameterKind::bias);
  table.add("b", "weight", {7, 300}, ParameterKind::weight);
  table.add("b", "bias", {7}, ParameterKind::bias);
  return blocks_of(table);
}

TEST(Placement, NumbersHostsByTheirFirstRanks) {
  const Placement placement(std::vector<int>{7, 2, 7, 2, 2});
  EXPECT_EQ(placement.hosts(), 2U);
  EXPECT_EQ(placement.lanes(), 3U);
  EXPECT_EQ(placement.host_of(0), 0U);
  EXPECT_EQ(placement.host_of(4), 1U);
  EXPECT_EQ(std::vector<std::size_t>(placement.ranks(0).begin(), placement.ranks(0).end()),
            (std::vector<std::size_t>{0, 2}));
}

TEST(Placement, EveryLaneHasOneRankOfEveryHostAndEveryRankALane) {
  for (const auto& sizes :
       {std::vector<int>{3, 1}, std::vector<int>{2, 5, 4}, std::vector<int>{1, 1}, std::vector<int>{16, 7}}) {
    std::vector<int> host_of;
    for (std::size_t host = 0; host < sizes.size(); ++host) {
      host_of.insert(host_of.end(), static_cast<std::size_t>(sizes[host]), static_cast<int>(host));
    }
    const Placement placement(host_of);
    for (std::size_t host = 0; host < sizes.size(); ++host) {
      std::size_t next = 0;
      for (std::size_t place = 0; place < placement.ranks(host).size(); ++place) {
        const Range lanes = placement.lanes_of(host, place);
        EXPECT_EQ(lanes.begin, next);
        EXPECT_FALSE(lanes.empty());
        next = lanes.end;
      }
      EXPECT_EQ(next, placement.lanes());
    }
  }
}

TEST(Placement, HostsSendTheLargestNodesOfTheirShards) {
  const Placement two(std::vector<int>{0, 0, 1, 1});
  const std::vector<std::size_t> eight{0, 2, 4, 6, 8};
  EXPECT_EQ(two.nodes_of(0, eight), (std::vector<Range>{{0, 4}}));
  EXPECT_EQ(two.nodes_of(1, eight), (std::vector<Range>{{4, 8}}));
  const Placement three_and_one(std::vector<int>{0, 0, 0, 1});
  EXPECT_EQ(three_and_one.nodes_of(0, eight), (std::vector<Range>{{0, 4}, {4, 6}}));
  EXPECT_EQ(three_and_one.nodes_of(1, eight), (std::vector<Range>{{6, 8}}));
  const Placement in_turn(std::vector<int>{0, 1, 0, 1});
  EXPECT_EQ(in_turn.nodes_of(0, eight), (std::vector<Range>{{0, 2}, {4, 6}}));
}

TEST(Placement, BucketsHoldEveryBlockOnceFromTheEndOn) {
  const std::vector<Block> blocks = some_blocks();
  for (const std::size_t slices : {2U, 3U, 8U, 100U}) {
    std::size_t end = blocks.size();
    for (const Bucket& bucket : make_buckets(blocks, slices, 1)) {
      ASSERT_EQ(bucket.starts.size(), slices + 1);
      EXPECT_EQ(bucket.blocks().end, end);
      EXPECT_LT(bucket.blocks().begin, end);
      std::size_t next = bucket.blocks().begin;
      for (std::size_t slice = 0; slice < slices; ++slice) {
        EXPECT_EQ(bucket.blocks(slice).begin, next);
        EXPECT_LE(bucket.blocks(slice).size(), kMessageBlocks + 1);
        next = bucket.blocks(slice).end;
      }
      end = bucket.blocks().begin;
    }
    EXPECT_EQ(end, 0U);
  }
}

TEST(Placement, SlicesOfManyPartialSumsAreSmaller) {
  const std::vector<Block> blocks = some_blocks();
  for (const Bucket& bucket : make_buckets(blocks, 1, 2)) EXPECT_LE(bucket.blocks().size(), kMessageBlocks / 2);
  for (const Bucket& bucket : make_buckets(blocks, 1, 9)) EXPECT_EQ(bucket.blocks().size(), 1U);
}

TEST(Placement, NoBucketReachesOverWhatIsInNoBlock) {
  const std::vector<Block> all = some_blocks();
  std::vector<Block> blocks = all;
  const std::size_t gap = blocks.size() / 2;
  blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(gap),
               blocks.begin() + static_cast<std::ptrdiff_t>(gap) + 3);
  for (const std::size_t slices : {1U, 2U, 5U}) {
    std::size_t end = blocks.size();
    for (const Bucket& bucket : make_buckets(blocks, slices, 1)) {
      EXPECT_EQ(bucket.blocks().end, end);
      end = bucket.blocks().begin;
      EXPECT_TRUE(bucket.blocks().end <= gap || bucket.blocks().begin >= gap);
    }
    EXPECT_EQ(end, 0U);
  }
}

// What a host sends is within one block a bucket of its fair part.
TEST(Placement, SlicesAreEven) {
  ParameterTable table;
  table.add("a", "weight", {512, 784}, ParameterKind::weight);
  table.add("b", "weight", {256, 512}, ParameterKind::weight);
  const std::vector<Block> blocks = blocks_of(table);
  std::vector<std::size_t> sums(4, 0);
  for (const Bucket& bucket : make_buckets(blocks, 4, 1)) {
    for (std::size_t slice = 0; slice < 4; ++slice) sums[slice] += elements_of(blocks, bucket.blocks(slice)).size();
  }
  for (const std::size_t sum : sums) EXPECT_NEAR(static_cast<double>(sum), 532480 / 4.0, 532480 / 4.0 * 0.02);
}

}  // namespace
}  // namespace lockstep
