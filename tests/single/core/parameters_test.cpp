// The layout of the arenas: cache lines, padding, and blocks that cover each tensor without crossing its border.
#include "core/parameters.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "support/expect_error.hpp"

namespace lockstep {
namespace {

ParameterTable sample_table() {
  ParameterTable table;
  table.add("dense1", "weight", {3, 5}, ParameterKind::weight);     // 15 floats and one of padding
  table.add("dense1", "bias", {3}, ParameterKind::bias);            // 3 and 13
  table.add("dense2", "weight", {16}, ParameterKind::weight);       // no padding
  table.add("dense3", "weight", {4097}, ParameterKind::weight);     // two blocks and one element
  table.add("dense3", "scale", {}, ParameterKind::weight);          // a scalar
  table.add("dense4", "weight", {2, 2048}, ParameterKind::weight);  // two blocks exactly
  return table;
}

TEST(ParameterTable, LaysTensorsOnCacheLines) {
  const ParameterTable table = sample_table();
  const std::vector<Range> expected = {{0, 15}, {16, 19}, {32, 48}, {48, 4145}, {4160, 4161}, {4176, 8272}};
  ASSERT_EQ(table.entries().size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(table.entries()[i].range, expected[i]) << i;
    EXPECT_EQ(table.entries()[i].range.begin % 16, 0U) << i;
  }
  EXPECT_EQ(table.arena_size(), 8272U);
}

TEST(ParameterTable, CountsWeightsWithoutPadding) {
  EXPECT_EQ(sample_table().count(), 15U + 3U + 16U + 4097U + 1U + 4096U);
  EXPECT_EQ(ParameterTable{}.count(), 0U);
  EXPECT_EQ(ParameterTable{}.arena_size(), 0U);
}

TEST(ParameterTable, KeepsWhatWasAddedAndReturnsItsIndex) {
  ParameterTable table;
  EXPECT_EQ(table.add("a", "weight", {2, 3}, ParameterKind::weight), 0U);
  EXPECT_EQ(table.add("a", "bias", {2}, ParameterKind::bias), 1U);
  const Parameter& bias = table.entries()[1];
  EXPECT_EQ(bias.layer, "a");
  EXPECT_EQ(bias.name, "bias");
  EXPECT_EQ(bias.shape, std::vector<std::size_t>{2});
  EXPECT_EQ(bias.kind, ParameterKind::bias);
}

TEST(ParameterTable, RefusesSizesThatOverflow) {
  ParameterTable table;
  const std::size_t units = 2147483647;
  table.add("dense1", "weight", {units, 3}, ParameterKind::weight);
  for (const std::vector<std::size_t>& shape :
       {std::vector{units, units}, std::vector{units, units, units, units}, std::vector{kMaxElements}}) {
    expect_error(ErrorKind::config, {"dense2/weight", "weights"},
                 [&] { table.add("dense2", "weight", shape, ParameterKind::weight); });
  }
  EXPECT_EQ(table.count(), 3 * units);
}

TEST(Blocks, CoverEachTensorInOrderAndNeverStraddleTwo) {
  const ParameterTable table = sample_table();
  const std::vector<Block> blocks = blocks_of(table);
  std::vector<int> covered(table.arena_size(), 0);
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    const Range owner = table.entries()[blocks[b].parameter].range;
    EXPECT_GE(blocks[b].range.begin, owner.begin);
    EXPECT_LE(blocks[b].range.end, owner.end);
    EXPECT_GE(blocks[b].range.size(), 1U);
    EXPECT_LE(blocks[b].range.size(), kBlockElements);
    if (b > 0) {
      EXPECT_LE(blocks[b - 1].range.end, blocks[b].range.begin);
    }
    for (std::size_t i = blocks[b].range.begin; i < blocks[b].range.end; ++i) ++covered[i];
  }
  for (const Parameter& parameter : table.entries()) {
    for (std::size_t i = parameter.range.begin; i < parameter.range.end; ++i) ASSERT_EQ(covered[i], 1) << i;
  }
  EXPECT_EQ(std::accumulate(covered.begin(), covered.end(), std::size_t{0}), table.count());  // no padding in a block
  EXPECT_EQ(blocks.size(), 1U + 1U + 1U + 3U + 1U + 2U);
}

TEST(ParameterViews, AreTheRangesOfTheArena) {
  const ParameterTable table = sample_table();
  std::vector<float> arena(table.arena_size());
  std::iota(arena.begin(), arena.end(), 0.0F);
  const std::vector<Range> ranges = {table.entries()[0].range, table.entries()[1].range};
  const ParameterViews<float> views(arena, ranges);
  ASSERT_EQ(views.size(), 2U);
  EXPECT_EQ(views[1].size(), 3U);
  EXPECT_EQ(views[1].data(), arena.data() + 16);
}

}  // namespace
}  // namespace lockstep
