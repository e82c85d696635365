// XXH3-128 against known answers, and texts framed by their length.
#include "core/hash.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace lockstep {
namespace {

void add_bytes(Hash& hash, std::string_view text) {
  hash.bytes(std::as_bytes(std::span(text)));
}

// Known answers of the reference implementation (xxhsum -H128, seed 0).
TEST(Hash, GivesTheKnownAnswersOfXxh3) {
  Hash empty;
  EXPECT_EQ(empty.hex(), "99aa06d3014798d86001c324468d497f");
  Hash abc;
  add_bytes(abc, "abc");
  EXPECT_EQ(abc.hex(), "06b05ab6733a618578af5f94892f3950");
}

TEST(Hash, DoesNotDependOnHowBytesAreHandedIn) {
  const std::string text(1000, 'x');
  Hash whole;
  add_bytes(whole, text);
  Hash parts;
  for (std::size_t at = 0; at < text.size(); at += 7) add_bytes(parts, std::string_view(text).substr(at, 7));
  parts.bytes({});
  EXPECT_EQ(parts.hex(), whole.hex());
}

TEST(Hash, GoesOnAfterHex) {
  Hash hash;
  add_bytes(hash, "ab");
  (void)hash.hex();
  add_bytes(hash, "c");
  EXPECT_EQ(hash.hex(), "06b05ab6733a618578af5f94892f3950");
}

TEST(Hash, FramesTextsByTheirLength) {
  const auto of = [](std::initializer_list<std::string_view> texts) {
    Hash hash;
    for (const std::string_view text : texts) hash.text(text);
    return hash.hex();
  };
  EXPECT_NE(of({"ab", "c"}), of({"a", "bc"}));
  EXPECT_NE(of({"abc", ""}), of({"", "abc"}));
  EXPECT_EQ(of({"ab", "c"}), of({"ab", "c"}));
}

TEST(Hash, TakesIntegersAndFloatsAsTheirLittleEndianBytes) {
  Hash integer;
  integer.integer(0x0102030405060708U);
  Hash bytes;
  add_bytes(bytes, "\x08\x07\x06\x05\x04\x03\x02\x01");
  EXPECT_EQ(integer.hex(), bytes.hex());
  Hash floats;
  floats.floats(std::vector<float>{1.0F});
  Hash one;
  add_bytes(one, std::string_view("\x00\x00\x80\x3F", 4));
  EXPECT_EQ(floats.hex(), one.hex());
  Hash minus_zero;  // bits count, not values
  minus_zero.floats(std::vector<float>{-0.0F});
  Hash zero;
  zero.floats(std::vector<float>{0.0F});
  EXPECT_NE(minus_zero.hex(), zero.hex());
}

}  // namespace
}  // namespace lockstep
