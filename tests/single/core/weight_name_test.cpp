#include "core/weight_name.hpp"

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace lockstep {
namespace {

class WeightNameTest : public testing::Test {
 protected:
  WeightNameTest() {
    table_.add("dense1", "weight", {3, 2}, ParameterKind::weight);
    table_.add("dense1", "bias", {3}, ParameterKind::bias);
    table_.add("other", "gain", {4}, ParameterKind::weight);
    table_.add("other", "bias", {4}, ParameterKind::bias);
  }

  void expect_refused(std::string_view name, const char* text) const {
    expect_error(ErrorKind::usage, {"--weight", text}, [&] { (void)find_weight(table_, name, "--weight"); });
  }

  ParameterTable table_;
};

TEST_F(WeightNameTest, EveryElementIsFoundByItsName) {
  for (std::size_t parameter = 0; parameter < table_.entries().size(); ++parameter) {
    const Range range = table_.entries()[parameter].range;
    for (std::size_t element = range.begin; element < range.end; ++element) {
      const std::string name = weight_name(table_, {parameter, element});
      const WeightPlace found = find_weight(table_, name, "");
      EXPECT_EQ(found.parameter, parameter) << name;
      EXPECT_EQ(found.element, element) << name;
    }
  }
}

TEST_F(WeightNameTest, NamesAreTheShortestThatAreClear) {
  EXPECT_EQ(weight_name(table_, find_weight(table_, "dense1/weight[2, 1]", "")), "dense1[2,1]");
  EXPECT_EQ(weight_name(table_, find_weight(table_, "dense1/bias[0]", "")), "dense1[0]");
  EXPECT_EQ(weight_name(table_, find_weight(table_, "other[3]", "")), "other[3]");
  EXPECT_EQ(weight_name(table_, find_weight(table_, "other/bias[3]", "")), "other/bias[3]");
  EXPECT_EQ(find_weight(table_, "dense1[2,1]", "").element, table_.entries()[0].range.begin + 5);
}

TEST_F(WeightNameTest, WhatIsNoNameOrNotThereIsRefused) {
  for (const char* name : {"", "dense1", "[0]", "dense1[", "dense1[]", "dense1[1", "dense1[a]", "dense1[-1]",
                           "dense1[1,]", "dense1[1.5]", "dense1/[1]", "dense1[1]x"}) {
    expect_refused(name, "expected a weight like dense1[3,0]");
  }
  expect_refused("dense1[3,0]", "dense1/weight is [3,2], counted from 0; there is no dense1[3,0]");
  expect_refused("dense1[0,2]", "is [3,2]");
  expect_refused("dense1[99999999999999999999]", "expected a weight");
  expect_refused("dense2[0]", "it has dense1/weight [3,2], dense1/bias [3], other/gain [4]");
  expect_refused("dense1[0,0,0]", "the net has no dense1[0,0,0]");
  expect_refused("dense1/gain[0]", "the net has no dense1/gain[0]");
}

}  // namespace
}  // namespace lockstep
