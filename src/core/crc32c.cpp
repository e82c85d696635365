#include "core/crc32c.hpp"

#include <array>

namespace lockstep {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // 0x1edc6f41 with its bits reversed: the lowest bit comes first

// The remainder of each byte [256].
constexpr std::array<std::uint32_t, 256> kRemainders = [] {
  std::array<std::uint32_t, 256> remainders{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1U) ^ ((rest & 1U) != 0 ? kPolynomial : 0);
    remainders[byte] = rest;
  }
  return remainders;
}();

}  // namespace

std::uint32_t crc32c(std::string_view bytes) noexcept {
  std::uint32_t rest = ~std::uint32_t{0};
  for (const char c : bytes) rest = (rest >> 8U) ^ kRemainders[(rest ^ static_cast<unsigned char>(c)) & 0xffU];
  return ~rest;
}

}  // namespace lockstep
