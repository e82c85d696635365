// Rows of samples, as a batch gives them and a loss takes them.
#pragma once

#include <cstdint>
#include <span>

#include "core/buffer.hpp"
#include "lockstep/batch.hpp"
#include "model/loss.hpp"

namespace lockstep {

/// Rows of samples with their targets, as large as the largest shard or block so far.
class RowBuffer {
 public:
  /// Of samples with `targets` targets each.
  RowBuffer(std::size_t targets, TargetKind kind) : targets_(targets), kind_(kind) {}
  /// What the samples have besides, from now on.
  void expect(SampleExtras extras) noexcept { extras_ = extras; }
  /// Makes room for `rows` rows; allocates only when there were fewer.
  void reserve(std::size_t rows);
  [[nodiscard]] BatchRows rows(std::size_t rows, std::span<float> x) noexcept;
  [[nodiscard]] Targets targets(std::size_t rows) const noexcept;
  [[nodiscard]] std::span<const std::uint32_t> samples(std::size_t rows) const noexcept;

 private:
  std::size_t targets_;
  TargetKind kind_;
  SampleExtras extras_;
  std::size_t capacity_ = 0;
  Buffer<float> values_, weights_;
  Buffer<std::int32_t> labels_;
  Buffer<std::uint32_t> samples_;
};

}  // namespace lockstep
