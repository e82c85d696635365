// Numbers of the plain kind, which most fields of tables are: digits, maybe with a minus sign and a point.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace lockstep {
namespace plain_number {

inline constexpr std::size_t kExactPlaces = 22;  // powers of ten up to there are exact in double
inline constexpr auto kPowers = [] {
  std::array<double, kExactPlaces + 1> of_ten{};
  double power = 1;
  for (double& value : of_ten) {
    value = power;
    power *= 10;
  }
  return of_ten;
}();
inline constexpr std::array<std::uint64_t, 9> kSmallPowers = {1,      10,      100,      1000,     10000,
                                                              100000, 1000000, 10000000, 100000000};

// Digits side by side, as a number modulo 2^64.
struct Digits {
  std::uint64_t value = 0;
  std::size_t count = 0;
};

// Eight bytes of text, the first the lowest, so that a digit is its value; a high bit where one is no digit. (What it
// says behind the first that is none may be wrong.)
struct Eight {
  explicit Eight(const char* text) noexcept {
    std::memcpy(&bytes, text, sizeof bytes);
    bytes ^= 0x3030303030303030U;
    others = (bytes | (bytes + 0x7676767676767676U)) & 0x8080808080808080U;
  }
  std::uint64_t bytes = 0;
  std::uint64_t others = 0;
};

inline std::size_t first_place(std::uint64_t high_bits) noexcept {
  return static_cast<std::size_t>(std::countr_zero(high_bits)) / 8;
}

// The number that the first `count` of eight digits make, 1 to 8: they are moved to the end, then pairs, fours and
// eights of them are joined.
inline std::uint64_t join(std::uint64_t digits, std::size_t count) noexcept {
  digits <<= 64 - 8 * count;
  digits = (digits * 10 + (digits >> 8U)) & 0x00FF00FF00FF00FFU;
  digits = (digits * 100 + (digits >> 16U)) & 0x0000FFFF0000FFFFU;
  return (digits * 10000 + (digits >> 32U)) & 0xFFFFFFFFU;
}

// Those at the front of [at, end); returns the byte behind them.
inline const char* take_digits(const char* at, const char* end, Digits& digits) noexcept {
  if constexpr (std::endian::native == std::endian::little) {
    while (end - at >= 8) {
      const Eight eight(at);
      const std::size_t count = first_place(eight.others);
      if (count != 0) digits.value = digits.value * kSmallPowers[count] + join(eight.bytes, count);
      digits.count += count;
      at += count;
      if (count != 8) return at;
    }
  }
  for (; at != end && static_cast<unsigned>(*at - '0') <= 9; ++at, ++digits.count) {
    digits.value = 10 * digits.value + static_cast<unsigned>(*at - '0');
  }
  return at;
}

// `value`, which is a number rounded to double, as that number is rounded to T. It would be rounded wrongly where it
// became the middle between two floats by its first rounding; then the answer is false.
inline bool narrow(double value, double& out) noexcept {
  out = value;
  return true;
}
inline bool narrow(double value, float& out) noexcept {
  constexpr std::uint64_t beyond = (std::uint64_t{1} << 29U) - 1;  // the bits of a double that a float lacks
  out = static_cast<float>(value);
  return (std::bit_cast<std::uint64_t>(value) & beyond) != (beyond + 1) / 2;
}

// Of at most seven digits, with the byte behind them among eight bytes: at once. Returns how many bytes it has; 0: it
// is another.
template <class T>
[[nodiscard]] std::size_t take_short(const char* text, T& out) noexcept {
  const Eight eight(text);
  std::uint64_t others = eight.others;
  if (others == 0) return 0;
  std::uint64_t digits = eight.bytes;
  const std::size_t point = first_place(others);
  std::size_t count = point;
  std::size_t size = point;
  if (text[point] == '.') {
    others &= others - 1;
    if (others == 0) return 0;
    const std::uint64_t before = (std::uint64_t{1} << 8 * point) - 1;
    digits = (digits & before) | ((digits >> 8U) & ~before);
    size = first_place(others);
    count = size - 1;
  }
  if (count == 0) return 0;
  out = static_cast<T>(static_cast<std::int32_t>(join(digits, count))) / static_cast<T>(kSmallPowers[count - point]);
  return size;
}

}  // namespace plain_number

/// The number at the front of [begin, end). Returns the byte behind it, of which it does not look; nullptr where it
/// takes another way: parse_number. Its bits are those of std::from_chars: few enough digits are there that both they
/// and the power of ten are exact, so that one division rounds as it should.
/// Source: Clinger, "How to read floating point numbers accurately", 1990. T: float or double.
template <class T>
[[nodiscard]] const char* parse_plain_number(const char* begin, const char* end, T& out) noexcept {
  if (begin == end) return nullptr;
  // (No branches by the sign: half of them would be guessed wrongly.)
  const bool negative = *begin == '-';
  begin += negative ? 1 : 0;
  const T sign = std::array<T, 2>{1, -1}[negative ? 1 : 0];
  if (std::endian::native == std::endian::little && end - begin >= 8) {
    const std::size_t size = plain_number::take_short(begin, out);
    if (size != 0) {
      out *= sign;
      return begin + size;
    }
  }
  plain_number::Digits digits;
  const char* at = plain_number::take_digits(begin, end, digits);
  const std::size_t before_point = digits.count;
  if (at != end && *at == '.') at = plain_number::take_digits(at + 1, end, digits);
  const std::size_t places = digits.count - before_point;
  if (digits.count == 0 || digits.count > 18 || places > plain_number::kExactPlaces) return nullptr;
  if (digits.value >> std::numeric_limits<double>::digits != 0) return nullptr;
  const double value = static_cast<double>(static_cast<std::int64_t>(digits.value)) / plain_number::kPowers[places];
  const bool exact = plain_number::narrow(value, out);
  out *= sign;
  return exact ? at : nullptr;
}

}  // namespace lockstep
