// A message of Protocol Buffers, written field by field. What the fields mean, and their numbers, is the format's
// matter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace lockstep {

/// One message. Fields come out in the order in which they were added; a field that may be repeated is added again.
class ProtobufMessage {
 public:
  void integer(int field, std::int64_t value);  ///< int32, int64, enum, bool
  void number(int field, float value);          ///< float
  void number(int field, double value);         ///< double
  /// string and bytes. Errors: data (2 GiB and more, which the format does not take).
  void text(int field, std::string_view value);
  void message(int field, const ProtobufMessage& value) { text(field, value.bytes()); }

  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::string take() && { return std::move(bytes_); }

 private:
  std::string bytes_;
};

}  // namespace lockstep
