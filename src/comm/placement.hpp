// Which host adds which part of the gradient: the exchange between hosts as index arithmetic, without MPI.
//
// The arena is cut into buckets, from its end to its beginning, which is the order of the backward pass. A bucket is
// cut into a slice for each host and lane. A lane is one rank of every host; it carries the slices of its number. There
// are as many lanes as the fullest host has ranks, so that a rank of a host with fewer has several.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/parameters.hpp"
#include "core/range.hpp"

namespace lockstep {

/// The ranks of every host; hosts in the order of their first ranks.
class Placement {
 public:
  /// `host_of` [ranks]: any number that the ranks of one host have in common.
  explicit Placement(std::span<const int> host_of);

  [[nodiscard]] std::size_t hosts() const noexcept { return ranks_.size(); }
  [[nodiscard]] std::size_t lanes() const noexcept { return lanes_; }
  /// The ranks of `host`, in order.
  [[nodiscard]] std::span<const std::size_t> ranks(std::size_t host) const { return ranks_[host]; }
  [[nodiscard]] std::size_t host_of(std::size_t rank) const { return host_of_[rank]; }
  /// The lanes that the rank in place `place` of its host carries.
  [[nodiscard]] Range lanes_of(std::size_t host, std::size_t place) const;

  /// The largest nodes of the tree over all shards whose shards are all on `host`, left to right.
  /// `shard_starts` [ranks + 1]: the first shard of each rank.
  [[nodiscard]] std::vector<Range> nodes_of(std::size_t host, std::span<const std::size_t> shard_starts) const;

 private:
  std::vector<std::vector<std::size_t>> ranks_;  // [hosts]
  std::vector<std::size_t> host_of_;             // [ranks]
  std::size_t lanes_ = 0;
};

/// A run of blocks, cut into slices.
struct Bucket {
  std::vector<std::size_t> starts;  ///< [slices + 1] the first block of each slice

  [[nodiscard]] Range blocks(std::size_t slice) const { return {starts[slice], starts[slice + 1]}; }
  [[nodiscard]] Range blocks() const { return {starts.front(), starts.back()}; }
};

/// The elements that `blocks` of `all` take, with what padding is between them.
[[nodiscard]] Range elements_of(std::span<const Block> all, Range blocks);

/// The first block of each of `parts` parts of `blocks`, so that elements are dealt as evenly as whole blocks allow:
/// [parts + 1].
[[nodiscard]] std::vector<std::size_t> deal_blocks(std::span<const Block> all, Range blocks, std::size_t parts);

/// All blocks in buckets of `slices` slices, the last blocks first. `sums` partial sums of a slice have about
/// kMessageBlocks blocks, and fewer where there would be too few buckets to overlap with anything, or where more than
/// padding lies between two blocks: what is in no block does not travel.
[[nodiscard]] std::vector<Bucket> make_buckets(std::span<const Block> all, std::size_t slices, std::size_t sums);

/// 32 KiB of floats: MPI sends what is below its eager limit (64 KiB on TCP) at once. For more it first asks the other
/// side, which answers only when it calls MPI, and computes meanwhile.
inline constexpr std::size_t kMessageBlocks = 4;

}  // namespace lockstep
