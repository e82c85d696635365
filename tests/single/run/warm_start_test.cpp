// What another net's checkpoint has for a net, and when its normalisation matters.
#include "run/warm_start.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

ParameterTable table_of(const std::vector<std::pair<std::string, std::vector<std::size_t>>>& parameters) {
  ParameterTable table;
  for (const auto& [name, shape] : parameters) {
    const auto slash = name.find('/');
    table.add(name.substr(0, slash), name.substr(slash + 1), shape, ParameterKind::weight);
  }
  return table;
}

TEST(MatchParameters, GoesByNameAndShape) {
  const ParameterTable net = table_of({{"a/weight", {2, 3}}, {"a/bias", {2}}, {"b/weight", {4, 2}}, {"c/bias", {4}}});
  const ParameterTable other =
      table_of({{"b/weight", {5, 2}}, {"a/bias", {2}}, {"old/weight", {1}}, {"a/weight", {2, 3}}});
  const ParameterMatch match = match_parameters(net, other);
  EXPECT_EQ(match.taken, (std::vector<std::pair<std::size_t, std::size_t>>{{0, 3}, {1, 1}}));
  EXPECT_EQ(match.left, (std::vector<std::string>{"b/weight [4, 2] (there [5, 2])", "c/bias (not there)"}));
  EXPECT_EQ(match.unused, (std::vector<std::string>{"b/weight", "old/weight"}));
}

TEST(ScalingDifference, IsToldFromATenthOfTheScaleOn) {
  const ColumnScaling then{{0, 10}, {1, 4}};
  EXPECT_EQ(scaling_difference("inputs", then, then), "");
  EXPECT_EQ(scaling_difference("inputs", {}, {}), "");
  EXPECT_EQ(scaling_difference("inputs", then, {{0.09, 10.3}, {1.05, 3.7}}), "");
  const std::string shifted = scaling_difference("inputs", then, {{0, 10.5}, {1, 4}});
  EXPECT_NE(shifted.find("1 of 2 columns; column 1: (x - 10) / 4 there, (x - 10.5) / 4 here"), std::string::npos)
      << shifted;
  EXPECT_NE(scaling_difference("inputs", then, {{0, 10}, {1, 5}}).find("column 1"), std::string::npos);
  const std::string none = scaling_difference("targets", then, {});
  EXPECT_NE(none.find("targets"), std::string::npos) << none;
  EXPECT_NE(none.find("1 of 2 columns; column 1: (y - 10) / 4 there, (y - 0) / 1 here"), std::string::npos) << none;
  EXPECT_EQ(scaling_difference("inputs", then, {{0}, {9}}), "");  // other columns: nothing of theirs fits
}

TEST(FrozenNotice, NamesWhatNobodyHasTrained) {
  ModelConfig config{{"mse"}, {{"dense", {{"units", 2}}}, {"dense", {{"units", 1}}}}};
  EXPECT_EQ(frozen_notice(Model(config, 3), nullptr), "");
  config.freeze = {"dense1"};
  const std::string text = frozen_notice(Model(config, 3), nullptr);
  EXPECT_NE(text.find("dense1/weight, dense1/bias stay as the seed has it"), std::string::npos) << text;
}

TEST(NamesDifference, TellsOfOtherNamesAndOfAnotherOrder) {
  const std::vector<std::string> then{"a", "b"};
  EXPECT_EQ(names_difference("features", then, then), "");
  EXPECT_EQ(names_difference("features", then, {}), "");
  EXPECT_EQ(names_difference("features", {}, then), "");
  const std::string told = names_difference("features", then, {"a", "c", "b"});
  EXPECT_NE(told.find("other features"), std::string::npos) << told;
  EXPECT_NE(told.find("number 1 is 'b' there, 'c' here"), std::string::npos) << told;
  EXPECT_NE(names_difference("classes", then, {"a"}).find("'b' there, nothing here"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
