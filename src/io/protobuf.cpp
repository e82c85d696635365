// By protobuf's own encoder. Wire types: https://protobuf.dev/programming-guides/encoding
#include "io/protobuf.hpp"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <bit>
#include <limits>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

using google::protobuf::io::CodedOutputStream;

enum class Wire : std::uint32_t { varint = 0, eight_bytes = 1, length = 2, four_bytes = 5 };

/// Adds the tag, and what `write` puts behind it, to the end of `bytes`.
template <class Write>
void add_field(std::string& bytes, int field, Wire wire, Write write) {
  google::protobuf::io::StringOutputStream stream(&bytes);
  CodedOutputStream coded(&stream);
  coded.WriteTag(static_cast<std::uint32_t>(field) << 3U | static_cast<std::uint32_t>(wire));
  write(coded);
}

}  // namespace

void ProtobufMessage::integer(int field, std::int64_t value) {
  add_field(bytes_, field, Wire::varint,
            [&](CodedOutputStream& out) { out.WriteVarint64(static_cast<std::uint64_t>(value)); });
}

void ProtobufMessage::number(int field, float value) {
  add_field(bytes_, field, Wire::four_bytes,
            [&](CodedOutputStream& out) { out.WriteLittleEndian32(std::bit_cast<std::uint32_t>(value)); });
}

void ProtobufMessage::number(int field, double value) {
  add_field(bytes_, field, Wire::eight_bytes,
            [&](CodedOutputStream& out) { out.WriteLittleEndian64(std::bit_cast<std::uint64_t>(value)); });
}

void ProtobufMessage::text(int field, std::string_view value) {
  constexpr std::size_t kMost = std::numeric_limits<int>::max();
  if (value.size() > kMost) {
    throw Error(ErrorKind::data,
                fmt::format("a field of {} bytes; a protobuf file takes less than 2 GiB", value.size()));
  }
  bytes_.reserve(bytes_.size() + value.size() + 16);  // the stream would double it
  add_field(bytes_, field, Wire::length, [&](CodedOutputStream& out) {
    out.WriteVarint32(static_cast<std::uint32_t>(value.size()));
    out.WriteRaw(value.data(), static_cast<int>(value.size()));
  });
}

}  // namespace lockstep
