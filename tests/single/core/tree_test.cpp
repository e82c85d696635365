// The fixed tree, exhaustively for small numbers of leaves: covers, programs and sums against the definition.
#include "core/tree.hpp"

#include <bit>
#include <set>
#include <vector>

#include "core/random.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostLeaves = 40;

// The definition, written down again: mid = lo + the largest power of two below hi - lo.
std::size_t middle(Range range) {
  std::size_t power = 1;
  while (2 * power < range.size()) power *= 2;
  return range.begin + power;
}

void collect_nodes(Range range, std::set<std::pair<std::size_t, std::size_t>>& nodes) {
  nodes.emplace(range.begin, range.end);
  if (range.size() < 2) return;
  collect_nodes({range.begin, middle(range)}, nodes);
  collect_nodes({middle(range), range.end}, nodes);
}

float defined_sum(const std::vector<float>& values, Range range) {
  if (range.size() == 1) return values[range.begin];
  return defined_sum(values, {range.begin, middle(range)}) + defined_sum(values, {middle(range), range.end});
}

std::vector<float> rough_values(std::size_t count) {
  std::vector<float> values(count);
  fill_uniform({17, RandomPurpose::bench, 0, 0, 0}, -1.0F, 1.0F, values);
  for (std::size_t i = 0; i < count; ++i) values[i] *= (i % 3 == 0) ? 1e6F : 1.0F;  // so that the order of adding shows
  return values;
}

TEST(TreeSplit, IsTheLargestPowerOfTwoBelowTheSize) {
  EXPECT_EQ(tree_split({0, 2}), 1U);
  EXPECT_EQ(tree_split({0, 3}), 2U);
  EXPECT_EQ(tree_split({0, 4}), 2U);
  EXPECT_EQ(tree_split({0, 5}), 4U);
  EXPECT_EQ(tree_split({4, 9}), 8U);
  for (std::size_t size = 2; size < 300; ++size) EXPECT_EQ(tree_split({3, 3 + size}), middle({3, 3 + size}));
}

TEST(TreeCover, IsTheLargestNodesWithinARangeAndCoversItExactly) {
  for (std::size_t leaves = 1; leaves <= kMostLeaves; ++leaves) {
    std::set<std::pair<std::size_t, std::size_t>> nodes;
    collect_nodes({0, leaves}, nodes);
    for (std::size_t begin = 0; begin <= leaves; ++begin) {
      for (std::size_t end = begin; end <= leaves; ++end) {
        std::size_t at = begin;
        for (const Range& node : tree_cover(leaves, {begin, end})) {
          ASSERT_EQ(node.begin, at) << "left to right without gaps";
          ASSERT_FALSE(node.empty());
          ASSERT_TRUE(nodes.contains({node.begin, node.end})) << leaves << ": " << node.begin << ' ' << node.end;
          for (const auto& [lo, hi] : nodes) {  // no node of the range holds this one
            const bool larger = lo <= node.begin && node.end <= hi && hi - lo > node.size();
            ASSERT_FALSE(larger && begin <= lo && hi <= end);
          }
          at = node.end;
        }
        ASSERT_EQ(at, end);
      }
    }
  }
}

// What ranks do: each adds the nodes of its cover, one of them runs the program over all of them.
float run_program(const std::vector<float>& values, const std::vector<Range>& nodes, std::size_t& most) {
  const TreeProgram program(values.size(), nodes);
  std::vector<float> stack;
  most = 0;
  for (const std::size_t step : program.steps()) {
    if (step == TreeProgram::kAdd) {
      const float right = stack.back();
      stack.pop_back();
      stack.back() = stack.back() + right;
    } else {
      stack.push_back(defined_sum(values, nodes[step]));
    }
    most = std::max(most, stack.size());
  }
  EXPECT_EQ(stack.size(), 1U);
  EXPECT_EQ(program.depth(), most);
  return stack.front();
}

TEST(TreeProgram, OverTheCoversOfAnySplitGivesTheBitsOfTheDefinition) {
  for (std::size_t leaves = 1; leaves <= kMostLeaves; ++leaves) {
    const std::vector<float> values = rough_values(leaves);
    const float expected = defined_sum(values, {0, leaves});
    for (std::size_t ranks = 1; ranks <= 8; ++ranks) {
      std::vector<Range> nodes;
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        for (const Range& node : tree_cover(leaves, part_of(leaves, rank, ranks))) nodes.push_back(node);
      }
      std::size_t depth = 0;
      ASSERT_EQ(std::bit_cast<std::uint32_t>(run_program(values, nodes, depth)), std::bit_cast<std::uint32_t>(expected))
          << leaves << " leaves, " << ranks << " ranks";
      ASSERT_LE(depth, static_cast<std::size_t>(std::bit_width(leaves)) + 1);  // a logarithmic number of buffers
    }
  }
}

// Every split of 9 leaves among two and three owners, also lopsided ones and ones with an empty part.
TEST(TreeProgram, TakesAnyContiguousSplit) {
  const std::vector<float> values = rough_values(9);
  const float expected = defined_sum(values, {0, 9});
  for (std::size_t a = 0; a <= 9; ++a) {
    for (std::size_t b = a; b <= 9; ++b) {
      std::vector<Range> nodes;
      for (const Range part : {Range{0, a}, Range{a, b}, Range{b, 9}}) {
        for (const Range& node : tree_cover(9, part)) nodes.push_back(node);
      }
      std::size_t depth = 0;
      EXPECT_EQ(run_program(values, nodes, depth), expected) << a << ' ' << b;
    }
  }
}

TEST(TreeProgram, OrderOfAddingMattersForTheTestData) {
  std::vector<float> values = rough_values(kMostLeaves);
  float forward = 0;
  for (const float value : values) forward += value;
  EXPECT_NE(forward, defined_sum(values, {0, kMostLeaves}));  // or the tests above could not fail
}

TEST(TreeProgram, DepthIsOneMoreThanTheHeightOverSingleLeaves) {
  std::vector<Range> leaves;
  for (std::size_t i = 0; i < 8; ++i) leaves.push_back({i, i + 1});
  EXPECT_EQ(TreeProgram(8, leaves).depth(), 4U);
  EXPECT_EQ(TreeProgram(8, std::vector<Range>{{0, 8}}).depth(), 1U);
  EXPECT_EQ(TreeProgram(0, {}).depth(), 0U);
  EXPECT_TRUE(TreeProgram(0, {}).steps().empty());
}

TEST(TreeProgram, RefusesNodesThatAreNotOfTheTree) {
  const auto build = [](std::vector<Range> nodes) { return TreeProgram(4, nodes); };
  expect_error(ErrorKind::internal, {"tree program"}, [&] { (void)build({{0, 1}, {1, 3}, {3, 4}}); });
  expect_error(ErrorKind::internal, {"tree program"}, [&] { (void)build({{0, 2}}); });
  expect_error(ErrorKind::internal, {"tree program"}, [&] { (void)build({{0, 2}, {2, 4}, {0, 4}}); });
}

double defined_sum(const std::vector<double>& values, Range range) {
  if (range.size() == 1) return values[range.begin];
  return defined_sum(values, {range.begin, middle(range)}) + defined_sum(values, {middle(range), range.end});
}

TEST(TreeSum, IsTheDefinitionForValuesAndForColumns) {
  EXPECT_EQ(tree_sum({}), 0.0);
  for (std::size_t leaves = 1; leaves <= kMostLeaves; ++leaves) {
    std::vector<double> values;
    for (const float value : rough_values(leaves)) values.push_back(value * 1.1);
    const double expected = defined_sum(values, {0, leaves});
    ASSERT_EQ(tree_sum(values), expected);
    std::vector<double> table(leaves * 3, 1e300);
    for (std::size_t i = 0; i < leaves; ++i) table[i * 3 + 1] = values[i];
    ASSERT_EQ(tree_sum_column(table, 3, 1), expected);
  }
}

}  // namespace
}  // namespace lockstep
