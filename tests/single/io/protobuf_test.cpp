// Bytes as protobuf's own documentation of its encoding gives them.
#include "io/protobuf.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "support/expect_error.hpp"

namespace lockstep {
namespace {

using namespace std::string_literals;

TEST(ProtobufMessage, WritesEachKindOfField) {
  ProtobufMessage message;
  message.integer(1, 150);
  EXPECT_EQ(message.bytes(), "\x08\x96\x01"s);
  message.text(2, "testing");
  EXPECT_EQ(message.bytes(), "\x08\x96\x01\x12\x07testing"s);

  ProtobufMessage numbers;
  numbers.number(1, 1.0F);
  numbers.number(2, 1.0);
  numbers.integer(20, -1);  // a tag of two bytes, and all ten bytes of a negative number
  EXPECT_EQ(numbers.bytes(),
            "\x0d\x00\x00\x80\x3f"
            "\x11\x00\x00\x00\x00\x00\x00\xf0\x3f"
            "\xa0\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s);
}

TEST(ProtobufMessage, HoldsMessages) {
  ProtobufMessage inner;
  inner.integer(1, 150);
  ProtobufMessage outer;
  outer.message(3, inner);
  outer.text(4, "");
  EXPECT_EQ(outer.bytes(), "\x1a\x03\x08\x96\x01\x22\x00"s);
  EXPECT_EQ(ProtobufMessage().bytes(), "");
  EXPECT_EQ(std::move(outer).take().size(), 7U);
}

TEST(ProtobufMessage, TakesLongTextsAndRefusesWhatNoReaderTakes) {
  const std::string text(100'000, 'x');
  ProtobufMessage message;
  message.text(1, text);
  EXPECT_EQ(message.bytes(), "\x0a\xa0\x8d\x06" + text);
  const std::string_view huge(text.data(), std::size_t{1} << 31U);  // refused before it is read
  expect_error(ErrorKind::data, {"2147483648 bytes", "2 GiB"}, [&] { message.text(1, huge); });
  EXPECT_EQ(message.bytes().size(), text.size() + 4);
}

}  // namespace
}  // namespace lockstep
