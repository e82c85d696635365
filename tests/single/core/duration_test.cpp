#include "core/duration.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(ParseDuration, TakesUnitsAndSlurmsClock) {
  EXPECT_EQ(parse_duration("1h55m"), 6900);
  EXPECT_EQ(parse_duration("90m"), 5400);
  EXPECT_EQ(parse_duration("2d12h"), 216000);
  EXPECT_EQ(parse_duration("45s"), 45);
  EXPECT_EQ(parse_duration("1d1h1m1s"), 90061);
  EXPECT_EQ(parse_duration("1:55:00"), 6900);
  EXPECT_EQ(parse_duration("00:00:05"), 5);
  EXPECT_EQ(parse_duration("2-12:00:00"), 216000);
}

TEST(ParseDuration, RefusesTheRest) {
  for (const char* text :
       {"",        "90",      "1h55", "55m1h",   "1h1h", "m",  "-5m",          "1.5h",    "1h 5m",    "5 m", "0s",
        "0:00:00", "1:60:00", "1:5",  "1:05:61", "1-5m", "5x", "99999999999s", "200000d", "1:00:00 ", "auto"}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace lockstep
