#include "step/row_buffer.hpp"

namespace lockstep {

void RowBuffer::reserve(std::size_t rows) {
  if (rows <= capacity_) return;
  if (kind_ == TargetKind::values) values_ = Buffer<float>(rows * targets_);
  if (kind_ == TargetKind::labels) labels_ = Buffer<std::int32_t>(rows);
  weights_ = Buffer<float>(rows);
  samples_ = Buffer<std::uint32_t>(rows);
  capacity_ = rows;
}

BatchRows RowBuffer::rows(std::size_t rows, std::span<float> x) noexcept {
  const bool labels = kind_ == TargetKind::labels;
  return {.x = x,
          .values = values_.view().first(labels ? 0 : rows * targets_),
          .labels = labels_.view().first(labels ? rows : 0),
          .samples = samples_.view().first(rows),
          .weights = weights_.view().first(extras_.weights ? rows : 0)};
}

Targets RowBuffer::targets(std::size_t rows) const noexcept {
  const bool labels = kind_ == TargetKind::labels;
  return {.labels = labels_.view().first(labels ? rows : 0),
          .values = values_.view().first(labels ? 0 : rows * targets_),
          .weights = weights_.view().first(extras_.weights ? rows : 0),
          .may_miss = extras_.missing && !labels};
}

std::span<const std::uint32_t> RowBuffer::samples(std::size_t rows) const noexcept {
  return samples_.view().first(rows);
}

}  // namespace lockstep
