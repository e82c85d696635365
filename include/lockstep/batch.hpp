// How a trainer gets its samples: by shard, on demand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lockstep {

/// Rows to be filled. Exactly one of values and labels is not empty, as the loss needs it.
struct BatchRows {
  std::span<float> x;                   ///< [rows, inputs]
  std::span<float> values = {};         ///< [rows, targets]: of regression and binary losses
  std::span<std::int32_t> labels = {};  ///< [rows]: classes, each in [0, outputs)
  std::span<std::uint32_t> samples;     ///< [rows]: global sample indices, the keys of dropout
  std::span<float> weights = {};        ///< [rows]: of the samples, finite; empty where the batch has none
};

/// What samples may have besides.
struct SampleExtras {
  bool weights = false;  ///< each counts as much as its weight says, which may be negative
  bool missing = false;  ///< a target of several may be missing: NaN among values
};

/// The samples of one global batch. A rank asks for the rows of its own shards only.
class Batch {
 public:
  virtual ~Batch() = default;

  /// Samples in the whole batch, over all ranks: as many as all shards have rows. The loss and the gradient are divided
  /// by it, or by what the samples weigh (StepResult::weight). The same on every rank.
  [[nodiscard]] virtual std::size_t samples() const = 0;
  /// The same on every rank, and for all steps between two calls of samples().
  [[nodiscard]] virtual SampleExtras extras() const { return {}; }
  /// Rows of shard `shard`; may be 0.
  [[nodiscard]] virtual std::size_t rows(std::size_t shard) const = 0;
  /// Fills the rows of shard `shard`. Must not allocate where speed matters.
  virtual void gather(std::size_t shard, const BatchRows& rows) = 0;
};

}  // namespace lockstep
