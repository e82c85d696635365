// Which rows of a file a shard trains on, and in which order, where the data is larger than memory. Pure index
// arithmetic: it depends on counts, seed and epoch alone, never on ranks.
//
// An epoch puts the file's blocks of rows into a seeded order. Their rows, one block behind the other, are the epoch's
// sequence [0, n). It is cut among the shards, in their order, by how many rows each shard takes in the whole epoch. A
// shard's part is cut into windows at the borders of blocks, as equal as they can be, and each window is shuffled.
//
//   sequence  [ block 7 | block 2 | block 9 | block 0 | block 5 | ... ]
//   shards    [      shard 0        |         shard 1         | ... ]    a block at a border is shared
//   windows   [   window 0   |  w 1 |   w 0   |    window 1   | ... ]
//
// The invariant: every row is in one window of one shard. The rows of a batch lie in at most two windows of a shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/range.hpp"
#include "data/shard_plan.hpp"

namespace lockstep {

/// What the order depends on besides seed and epoch.
struct StreamShape {
  std::size_t samples = 0;      ///< at least 1
  std::size_t batch = 1;        ///< global batch
  std::size_t shards = 1;       ///< at least 1
  std::size_t block = 1;        ///< rows of a block; the last one of the file may be short
  std::size_t window_rows = 1;  ///< that a window should have at most; it has more where a batch needs it
};

/// Rows of a block where the run leaves it open: about a sixteenth of a window, a multiple of the `chunk` rows that the
/// file keeps together where that is not above a fourth, and few enough for each shard to get rows from all over a
/// small file.
[[nodiscard]] std::size_t choose_block(std::size_t samples, std::size_t shards, std::size_t window_rows,
                                       std::size_t chunk) noexcept;

class StreamPlan {
 public:
  explicit StreamPlan(const StreamShape& shape);

  [[nodiscard]] const StreamShape& shape() const noexcept { return shape_; }
  [[nodiscard]] std::size_t blocks() const noexcept { return (shape_.samples + shape_.block - 1) / shape_.block; }
  /// Blocks that a window has at most.
  [[nodiscard]] std::size_t window_blocks() const noexcept { return window_blocks_; }
  /// Rows that a window of this plan has at most.
  [[nodiscard]] std::size_t max_window_rows() const noexcept;

  /// The shard's part of the sequence; may be empty.
  [[nodiscard]] Range part(std::size_t shard) const noexcept { return {begin_of(shard), begin_of(shard + 1)}; }
  /// The places of a batch's rows in the shard's part, counted from its begin.
  [[nodiscard]] Range rows(std::size_t batch, std::size_t shard) const noexcept;
  /// The batch that takes the row at place `row` of the shard's part.
  [[nodiscard]] std::size_t batch_of(std::size_t row, std::size_t shard) const noexcept;

 private:
  [[nodiscard]] std::size_t begin_of(std::size_t shard) const noexcept;

  StreamShape shape_;
  EpochPlan epoch_;
  ShardPlan shards_;
  std::size_t window_blocks_ = 1;
};

/// The order of one epoch.
class StreamOrder {
 public:
  StreamOrder(const StreamPlan& plan, std::uint64_t seed, std::uint64_t epoch);

  /// Windows of a shard's part; 0 where that is empty.
  [[nodiscard]] std::size_t windows(std::size_t shard) const noexcept;
  /// Window `index` of the shard, as a range of the sequence.
  [[nodiscard]] Range window(std::size_t shard, std::size_t index) const noexcept;

  /// Rows of the file.
  struct Piece {
    Range rows;
    std::size_t place = 0;  ///< of the first of them, in the sequence
  };
  /// What a range of the sequence is in the file, block by block.
  [[nodiscard]] std::vector<Piece> pieces(Range places) const;

  /// The order within window `index` of the shard: a permutation of its rows, into `order` [rows of the window].
  void shuffle(std::size_t shard, std::size_t index, std::span<std::uint32_t> order) const;

  /// The batches in which a shard, any of them all, takes the first row of a window: ascending, each once.
  [[nodiscard]] std::vector<std::size_t> entries() const;

 private:
  struct Blocks {
    Range range;  ///< of places in the order, from the block of the part's first row to that of its last
    std::size_t windows = 0;
  };
  [[nodiscard]] Blocks blocks_of(std::size_t shard) const noexcept;
  [[nodiscard]] std::size_t block_at(std::size_t place) const noexcept;
  [[nodiscard]] std::size_t begin_of(std::size_t block) const noexcept;

  const StreamPlan& plan_;
  std::uint64_t seed_;
  std::uint64_t epoch_;
  std::vector<std::uint32_t> order_;  // [blocks]
  std::size_t short_at_ = 0;          // where in it the file's last block is
  std::size_t missing_ = 0;           // rows that this block has less than the others
};

}  // namespace lockstep
