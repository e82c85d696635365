// Written so that the compiler vectorises without changing the order of any addition.
#include "core/sums.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>

#include "core/vector_clones.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr auto kInfinityBits = std::bit_cast<std::uint32_t>(std::numeric_limits<float>::infinity());

// What adds nothing to any number, not even to -0.
constexpr auto kNothing = [] {
  std::array<float, PairSum::kMostAlone> zeros{};
  for (float& zero : zeros) zero = -0.0F;
  return zeros;
}();

double sum_of_lanes(const std::array<double, 8>& lanes) {
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

template <class Values>
LOCKSTEP_VECTOR_CLONES double squares_of(const Values values) {
  std::array<double, 8> lanes{};
  const std::size_t whole = values.size() / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) {
      const double value = values[i + lane];
      lanes[lane] += value * value;
    }
  }
  for (std::size_t i = whole; i < values.size(); ++i) {
    const double value = values[i];
    lanes[i - whole] += value * value;
  }
  return sum_of_lanes(lanes);
}

}  // namespace

PairSum::PairSum(std::span<const float> near, std::span<const float> far)
    : near_(near.data()), far_(far.data()), size_(near.size()) {
  if (far.size() != size_) throw Error(ErrorKind::usage, "a sum of two arrays that are not of one size");
}

PairSum::PairSum(std::span<const float> values) : near_(values.data()), far_(kNothing.data()), size_(values.size()) {
  if (size_ > kMostAlone) throw Error(ErrorKind::usage, "a sum of one array: more elements than a block has");
}

void PairSum::write_to(std::span<float> sum) const {
  add({near_, size_}, {far_, size_}, sum);
}

double sum_squares(std::span<const float> values) {
  return squares_of(values);
}

double sum_squares(const PairSum& values) {
  return squares_of(values);
}

LOCKSTEP_VECTOR_CLONES double sum(std::span<const float> values) {
  std::array<double, 8> lanes{};
  const std::size_t whole = values.size() / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) lanes[lane] += values[i + lane];
  }
  for (std::size_t i = whole; i < values.size(); ++i) lanes[i - whole] += values[i];
  return sum_of_lanes(lanes);
}

LOCKSTEP_VECTOR_CLONES float largest(std::span<const float> values) {
  std::array<float, 8> lanes;
  lanes.fill(-std::numeric_limits<float>::infinity());
  const std::size_t whole = values.size() / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) {
      lanes[lane] = values[i + lane] > lanes[lane] ? values[i + lane] : lanes[lane];
    }
  }
  for (std::size_t i = whole; i < values.size(); ++i) lanes[i - whole] = std::max(lanes[i - whole], values[i]);
  return *std::max_element(lanes.begin(), lanes.end());
}

LOCKSTEP_VECTOR_CLONES void sum_rows(std::span<const float> rows, std::span<float> sums) {
  constexpr std::size_t kStrip = 64;  // columns whose sums stay in registers
  const std::size_t columns = sums.size();
  std::size_t begin = 0;
  for (; begin + kStrip <= columns; begin += kStrip) {
    std::array<float, kStrip> strip{};
    for (std::size_t at = begin; at < rows.size(); at += columns) {
      for (std::size_t i = 0; i < kStrip; ++i) strip[i] += rows[at + i];
    }
    for (std::size_t i = 0; i < kStrip; ++i) sums[begin + i] = strip[i];
  }
  const std::size_t rest = columns - begin;
  if (rest == 0) return;
  std::array<float, kStrip> strip{};
  for (std::size_t at = begin; at < rows.size(); at += columns) {
#pragma GCC ivdep
    for (std::size_t i = 0; i < rest; ++i) strip[i] += rows[at + i];
  }
  for (std::size_t i = 0; i < rest; ++i) sums[begin + i] = strip[i];
}

// Infinities and NaNs have all bits of the exponent set: without the sign, nothing finite is as large. Integers, since
// the compiler vectorises their maximum.
LOCKSTEP_VECTOR_CLONES bool all_finite(std::span<const float> values) {
  std::uint32_t largest = 0;
  for (const float value : values) largest = std::max(largest, std::bit_cast<std::uint32_t>(value) & 0x7FFFFFFFU);
  return largest < kInfinityBits;
}

LOCKSTEP_VECTOR_CLONES bool add_to_finite(std::span<float> sum, std::span<const float> part) {
  std::uint32_t largest = 0;
  for (std::size_t begin = 0; begin < sum.size(); begin += kFetchStrip) {
    const std::size_t end = std::min(begin + kFetchStrip, sum.size());
    fetch_to_read(part.data(), begin);
#pragma GCC ivdep
    for (std::size_t i = begin; i < end; ++i) {
      const float added = sum[i] + part[i];
      sum[i] = added;
      largest = std::max(largest, std::bit_cast<std::uint32_t>(added) & 0x7FFFFFFFU);
    }
  }
  return largest < kInfinityBits;
}

void add_to(std::span<float> sum, std::span<const float> part) {
  add(sum, part, sum);
}

LOCKSTEP_VECTOR_CLONES void add(std::span<const float> left, std::span<const float> right, std::span<float> sum) {
  for (std::size_t begin = 0; begin < sum.size(); begin += kFetchStrip) {
    const std::size_t end = std::min(begin + kFetchStrip, sum.size());
    fetch_to_read(right.data(), begin);
#pragma GCC ivdep  // `sum` may be one of the two, never a shifted part of one
    for (std::size_t i = begin; i < end; ++i) sum[i] = left[i] + right[i];
  }
}

}  // namespace lockstep
