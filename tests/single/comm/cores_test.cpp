// The warnings about ranks and cores.
#include "comm/cores.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(CoreWarnings, AreNoneWhereEveryThreadHasACore) {
  EXPECT_TRUE(core_warnings(std::vector<RankCores>{{"a", {0}}, {"a", {1}}}, 1).empty());
  EXPECT_TRUE(core_warnings(std::vector<RankCores>{{"a", {0, 1}}, {"a", {0, 1}}}, 1).empty());
  EXPECT_TRUE(core_warnings(std::vector<RankCores>{{"a", {0, 1}}, {"a", {2, 3}}}, 2).empty());
  EXPECT_TRUE(core_warnings(std::vector<RankCores>{{"a", {0}}, {"b", {0}}}, 1).empty());
}

TEST(CoreWarnings, TellOfMoreRanksThanCores) {
  const std::vector<RankCores> ranks(3, {"node7", {0, 1}});
  const auto warnings = core_warnings(ranks, 1);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_TRUE(contains(warnings[0], "3 ranks on node7 have 2 cores")) << warnings[0];
  EXPECT_TRUE(contains(warnings[0], "mpirun -n 2")) << warnings[0];
}

TEST(CoreWarnings, TellOfMoreThreadsThanCores) {
  const std::vector<RankCores> ranks = {{"a", {0}}, {"a", {1}}};
  const auto warnings = core_warnings(ranks, 4);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_TRUE(contains(warnings[0], "2 ranks of 4 threads on a have 2 cores")) << warnings[0];
  EXPECT_TRUE(contains(warnings[0], "mpirun -n 1)")) << warnings[0];
  EXPECT_TRUE(contains(warnings[0], "--map-by slot:PE=4 --bind-to core")) << warnings[0];
}

TEST(CoreWarnings, TellOfRanksBoundToOneCoreWhileOthersAreFree) {
  const std::vector<RankCores> ranks = {{"a", {0}}, {"a", {3}}, {"a", {3}}, {"a", {1, 2}}};
  const auto warnings = core_warnings(ranks, 1);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_TRUE(contains(warnings[0], "2 ranks (1, 2) on a are bound to 1 core (3)")) << warnings[0];
  EXPECT_TRUE(contains(warnings[0], "--bind-to core")) << warnings[0];
}

TEST(CoreWarnings, NameTheFirstHostOfEachKindOnly) {
  const std::vector<RankCores> ranks = {{"a", {0}}, {"a", {0}}, {"b", {0}},   {"b", {0}},
                                        {"c", {0}}, {"c", {0}}, {"c", {1, 2}}};
  const auto warnings = core_warnings(ranks, 1);
  ASSERT_EQ(warnings.size(), 2U);
  EXPECT_TRUE(contains(warnings[0], "on a have")) << warnings[0];
  EXPECT_TRUE(contains(warnings[1], "on c are bound")) << warnings[1];
}

TEST(CoreWarnings, SayNothingWhereNothingIsKnown) {
  EXPECT_TRUE(core_warnings(std::vector<RankCores>{{"a", {}}, {"a", {}}}, 1).empty());
}

}  // namespace
}  // namespace lockstep
