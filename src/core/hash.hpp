// XXH3-128 over bytes and integers, as bytes or lower-case hex.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

using HashBytes = std::array<std::byte, 16>;

/// The XXH3-128 of `data`, canonical: big-endian.
[[nodiscard]] HashBytes hash_bytes(std::span<const std::byte> data) noexcept;

/// The XXH3-64 of `data`: for what is recognised, not kept for ever.
[[nodiscard]] std::uint64_t hash_row(std::span<const std::byte> data) noexcept;

/// A running XXH3-128. Texts are hashed with their length, so that "ab","c" and "a","bc" differ.
class Hash {
 public:
  Hash();
  ~Hash();
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;

  void bytes(std::span<const std::byte> data);
  void integer(std::uint64_t value);
  void text(std::string_view value);
  void floats(std::span<const float> values) { bytes(std::as_bytes(values)); }

  /// 32 hex digits; the hash may go on afterwards.
  [[nodiscard]] std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
