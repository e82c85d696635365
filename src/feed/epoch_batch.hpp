// The batches of an epoch, one at a time, wherever the samples are; see epoch_batches.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "data/dataset.hpp"
#include "data/normalization.hpp"
#include "lockstep/batch.hpp"

namespace lockstep {

class EpochBatch : public Batch {
 public:
  /// Goes to an epoch, whose order is a pure function of its number.
  virtual void start_epoch(std::uint64_t epoch) = 0;
  /// Chooses batch `index` of the epoch and waits until its samples are in memory. Returns the seconds waited.
  /// Collective. Errors, agreed: data, io (of samples that are read only now).
  virtual double select(std::size_t index) = 0;
};

/// Rows `samples` of x and y, normalised, and of w, where weights are asked for.
void gather_samples(const Table& x, const Table& y, const Table& w, const Normalization& normalization,
                    std::span<const std::uint32_t> samples, const BatchRows& rows);
inline void gather_samples(const Dataset& data, const Normalization& normalization,
                           std::span<const std::uint32_t> samples, const BatchRows& rows) {
  gather_samples(data.x, data.y, data.w, normalization, samples, rows);
}

}  // namespace lockstep
