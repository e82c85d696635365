#include "core/byte_size.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(ParseBytes, ReadsUnitsOfBothKinds) {
  EXPECT_EQ(parse_bytes("4GiB"), std::size_t{4} << 30U);
  EXPECT_EQ(parse_bytes("3 MiB"), std::size_t{3} << 20U);
  EXPECT_EQ(parse_bytes("2GB"), 2'000'000'000U);
  EXPECT_EQ(parse_bytes("65536"), 65536U);
  EXPECT_EQ(parse_bytes("1B"), 1U);
}

TEST(ParseBytes, RefusesWhatIsNoAmount) {
  for (const char* text :
       {"", "0", "GiB", "1.5GB", "-1", "4 gib", "4GiBs", "99999999999999999999", "9999999999GiB", "4  GB"}) {
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
}

}  // namespace
}  // namespace lockstep
