// XXH3-128 by the xxHash library.
#include "core/hash.hpp"

#include <xxhash.h>

#include <bit>
#include <new>

#include "lockstep/error.hpp"

namespace lockstep {

HashBytes hash_bytes(std::span<const std::byte> data) noexcept {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(data.data(), data.size()));
  return std::bit_cast<HashBytes>(canonical);
}

std::uint64_t hash_row(std::span<const std::byte> data) noexcept {
  return XXH3_64bits(data.data(), data.size());
}

struct Hash::State {
  XXH3_state_t* state = XXH3_createState();
  State() {
    if (state == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(state);
  }
  ~State() { XXH3_freeState(state); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Hash::Hash() : state_(std::make_unique<State>()) {}
Hash::~Hash() = default;

void Hash::bytes(std::span<const std::byte> data) {
  if (!data.empty()) XXH3_128bits_update(state_->state, data.data(), data.size());
}

void Hash::integer(std::uint64_t value) {
  static_assert(std::endian::native == std::endian::little, "digests are defined over little-endian integers");
  bytes(std::as_bytes(std::span(&value, 1)));
}

void Hash::text(std::string_view value) {
  integer(value.size());
  bytes(std::as_bytes(std::span(value)));
}

std::string Hash::hex() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_->state));
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : canonical.digest) {
    text += digits[byte >> 4U];
    text += digits[byte & 15U];
  }
  return text;
}

}  // namespace lockstep
