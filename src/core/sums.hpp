// Sums over float arrays, with an order that does not depend on the CPU or the SIMD width.
#pragma once

#include <cstddef>
#include <span>

namespace lockstep {

/// The sum of two arrays, left to be added up element by element where it is used: so the last addition of a tree costs
/// no pass over memory of its own. A float sum does not depend on which of the two comes first.
class PairSum {
 public:
  /// Shapes: near, far [n]. `far` is the one that more likely lies in another core's cache.
  PairSum(std::span<const float> near, std::span<const float> far);
  /// `values` alone, at most kMostAlone of them. Errors: usage (more).
  PairSum(std::span<const float> values);  // NOLINT(google-explicit-constructor): an array is a sum

  static constexpr std::size_t kMostAlone = 2048;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] float operator[](std::size_t i) const noexcept { return near_[i] + far_[i]; }
  [[nodiscard]] const float* far() const noexcept { return far_; }
  /// Writes the sum to `sum` [n], which may be one of the two.
  void write_to(std::span<float> sum) const;

 private:
  const float* near_;
  const float* far_;
  std::size_t size_;
};

/// Sum of squares in double: eight interleaved partial sums, added pairwise at the end.
[[nodiscard]] double sum_squares(std::span<const float> values);
/// The same over a sum, each element of it rounded to float first.
[[nodiscard]] double sum_squares(const PairSum& values);

/// Sum in double, in the same order.
[[nodiscard]] double sum(std::span<const float> values);
/// The largest value; NaNs are passed over. -infinity when there is none.
[[nodiscard]] float largest(std::span<const float> values);

/// Sums of the columns, each in the order of the rows. Shapes: rows [n, sums.size()], sums [columns].
void sum_rows(std::span<const float> rows, std::span<float> sums);

/// sum[i] += part[i].
void add_to(std::span<float> sum, std::span<const float> part);

/// Whether no value is infinite or NaN.
[[nodiscard]] bool all_finite(std::span<const float> values);
/// The same as add_to; returns whether all of the sum is finite.
bool add_to_finite(std::span<float> sum, std::span<const float> part);

/// sum[i] = left[i] + right[i]; `sum` may be either of them.
void add(std::span<const float> left, std::span<const float> right, std::span<float> sum);

/// Asks for the memory that a loop over `from` will come to kFetchAhead elements behind `at`, a strip of it at a time.
/// What another core has written last comes slowly, and a processor does not look ahead far enough by itself.
inline constexpr std::size_t kFetchStrip = 64;
inline constexpr std::size_t kFetchAhead = 256;
inline void fetch_to_read(const float* from, std::size_t at) noexcept {
  for (std::size_t i = 0; i < kFetchStrip; i += 16) __builtin_prefetch(from + at + kFetchAhead + i, 0);
}
inline void fetch_to_write(const float* from, std::size_t at) noexcept {
  for (std::size_t i = 0; i < kFetchStrip; i += 16) __builtin_prefetch(from + at + kFetchAhead + i, 1);
}

}  // namespace lockstep
