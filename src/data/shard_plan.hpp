// Which samples belong to which batch, shard and rank. Pure index arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/range.hpp"

namespace lockstep {

/// Batches of an epoch: every sample once, in batches of `batch`, the last one maybe short.
struct EpochPlan {
  std::size_t samples = 0;  ///< at least 1
  std::size_t batch = 1;    ///< at least 1

  [[nodiscard]] constexpr std::size_t batches() const noexcept { return (samples + batch - 1) / batch; }
  /// Positions in the epoch's order that batch `index` takes.
  [[nodiscard]] constexpr Range positions(std::size_t index) const noexcept {
    const std::size_t begin = index * batch;
    return {begin, begin + batch < samples ? begin + batch : samples};
  }
};

/// Shards over ranks: rank r owns the contiguous run part_of(shards, r, ranks).
struct ShardPlan {
  std::size_t shards = 1;
  std::size_t ranks = 1;

  [[nodiscard]] constexpr Range owned(std::size_t rank) const noexcept { return part_of(shards, rank, ranks); }
  /// Rows of shard `shard` in a batch of `batch` samples, by position in the batch; may be empty.
  [[nodiscard]] constexpr Range rows(std::size_t batch, std::size_t shard) const noexcept {
    return part_of(batch, shard, shards);
  }
  /// Rows of all shards of `rank`.
  [[nodiscard]] constexpr Range rows_of(std::size_t batch, std::size_t rank) const noexcept {
    const Range own = owned(rank);
    return {batch * own.begin / shards, batch * own.end / shards};
  }
  /// The most rows a shard of a batch of `batch` has.
  [[nodiscard]] constexpr std::size_t max_rows(std::size_t batch) const noexcept {
    return (batch + shards - 1) / shards;
  }
};

}  // namespace lockstep
