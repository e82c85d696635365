// One rank's part of the tree of gradients: shard gradients go in, the sums of whole nodes come out.
//
// As soon as both halves of a node are there they are added, and the largest nodes are made first, so that at most
// log2(shards) + 1 buffers are needed, rounded up.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "core/range.hpp"

namespace lockstep {

class ShardSums {
 public:
  /// Buffers that `owned` of `shards` needs.
  [[nodiscard]] static std::size_t buffers_needed(std::size_t shards, Range owned);

  /// `buffers`: at least buffers_needed() arrays of equal length; they must outlive this.
  ShardSums(std::size_t shards, Range owned, std::vector<std::span<float>> buffers);

  /// The owned shards in the order in which they are to be computed.
  [[nodiscard]] std::span<const std::size_t> order() const noexcept { return order_; }
  /// Where the gradient of the next shard of order() is to be written. Valid until push().
  [[nodiscard]] std::span<float> next();
  /// Whether next() is that of the last shard.
  [[nodiscard]] bool is_last() const noexcept { return pushed_ + 1 == adds_.size(); }
  /// Elements from `begin` on of next() are complete: adds them to what they complete, before push(). `begin` falls
  /// from call to call. Of the last shard, the sums from there on are complete then.
  void add_from(std::size_t begin);
  /// The gradient in next() is complete from element `from` on: adds it to what it completes. Where `from` is not 0,
  /// all shards come with the elements before it once more, when all have come with these.
  void push(std::size_t from = 0);
  /// Starts a step. What the last one came to stays until the next push.
  void reset() noexcept;

  /// The nodes of the tree that make up `owned`, left to right.
  [[nodiscard]] std::span<const Range> nodes() const noexcept { return nodes_; }
  /// The sum over node `node`, after the last push.
  [[nodiscard]] std::span<const float> sum(std::size_t node) const { return buffers_[buffer_of_[node]]; }

  /// After the last push: the first shard of order() that brought a number which is not finite; of two finite ones
  /// whose sum is not, the first. Unset where all are finite, or only a larger sum is not.
  [[nodiscard]] std::optional<std::size_t> not_finite() const;

 private:
  std::vector<Range> nodes_;
  std::vector<std::size_t> buffer_of_;  // [nodes]
  std::vector<std::size_t> order_;      // [owned]
  std::vector<std::size_t> adds_;       // [owned]: additions to do after each push
  std::vector<std::span<float>> buffers_;
  std::size_t pushed_ = 0;
  std::size_t round_end_;                  // elements that the shards come with now end here
  std::size_t added_from_;                 // of the shard that is not pushed yet
  std::size_t height_ = 0;                 // buffers in use
  std::optional<std::size_t> not_finite_;  // the first shard seen to be so when it was added
};

}  // namespace lockstep
