// What the ranks of a host have in common, in one shared window: weights, optimizer state, the gradients of all of
// them, and small things by which they agree.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/exchange.hpp"
#include "comm/node_barrier.hpp"
#include "comm/node_window.hpp"
#include "comm/shard_sums.hpp"

namespace lockstep {

/// How far a rank is, for the other ranks of its host. All of it only grows.
struct alignas(kCacheLine) RankProgress {
  std::atomic<std::uint64_t> steps;   ///< whose shard values are there
  std::atomic<std::uint64_t> ready;   ///< buckets of its gradients that are complete
  std::atomic<std::uint64_t> landed;  ///< buckets of weights that its lanes have brought
};

/// How much of it there is.
struct NodeMemorySize {
  std::vector<Range> owned_shards;  ///< [ranks of the host] of each
  std::size_t blocks = 0;
  std::size_t slot_elements = 0;  ///< of each slot array
  std::size_t halves = 0;         ///< numbers of 16 bits
};

/// What the memory of an exchange is for.
[[nodiscard]] WindowUse use_of_node_memory();

class NodeMemory {
 public:
  /// Collective. Errors: config, io, as a NodeWindow.
  NodeMemory(const Communicator& comm, const ExchangeLayout& layout, NodeMemorySize size);

  /// This rank's place among those of the host, and how many there are.
  [[nodiscard]] std::size_t place() const noexcept { return place_; }
  [[nodiscard]] std::size_t ranks() const noexcept { return sums_.size(); }

  [[nodiscard]] std::span<float> weights() const noexcept { return view<float>(plan_.weights, elements_); }
  [[nodiscard]] std::span<float> slot(std::size_t slot) const noexcept {
    return view<float>(plan_.slots + slot * slot_elements_ * sizeof(float), slot_elements_);
  }
  [[nodiscard]] std::span<std::uint16_t> halves() const noexcept { return view<std::uint16_t>(plan_.halves, halves_); }
  /// The values of all shards [shards, layout's shard_values], and a way to put those of this rank's shards there.
  [[nodiscard]] std::span<double> shard_values() const noexcept {
    return view<double>(plan_.shard_values, shards_ * values_a_shard_);
  }
  void put_shard_values(std::span<const double> all) const noexcept;
  /// An array for a value of each block. Two in turn: a rank may still read the last one while others write. Before it
  /// is written again all have been at a barrier, and so have read it.
  [[nodiscard]] std::span<double> next_block_values() noexcept {
    return view<double>(plan_.block_values, 2 * blocks_).subspan(block_values_taken_++ % 2 * blocks_, blocks_);
  }
  /// The notes of all hosts, by turns too.
  [[nodiscard]] std::atomic<std::uint32_t>& next_notes() noexcept {
    return view<std::atomic<std::uint32_t>>(plan_.notes, 2)[notes_taken_++ % 2];
  }
  [[nodiscard]] RankProgress& progress(std::size_t place) const noexcept {
    return view<RankProgress>(plan_.progress, ranks())[place];
  }

  /// The gradient sums of the rank in place `place`.
  [[nodiscard]] ShardSums& sums(std::size_t place) noexcept { return sums_[place]; }
  [[nodiscard]] const ShardSums& own_sums() const noexcept { return sums_[place_]; }
  /// The first gradient array of this rank.
  [[nodiscard]] std::span<float> own_gradient() const noexcept {
    return view<float>(plan_.gradients[place_], elements_);
  }
  /// The nodes of the tree that the ranks bring, left to right, and their partial sums [elements].
  [[nodiscard]] std::span<const Range> nodes() const noexcept { return nodes_; }
  [[nodiscard]] std::span<const float> part(std::size_t node) const noexcept { return parts_[node]; }

  /// Waits for the other ranks of the host; see NodeBarrier. Collective over the host.
  std::uint32_t wait(std::uint32_t notes = 0);
  /// The same within the scope of a Waiting that is the caller's: all ranks begin as many.
  std::uint32_t meet(std::uint32_t notes = 0, const FunctionRef<void()>* idle = nullptr);
  /// Seconds waited since the last call.
  [[nodiscard]] double take_wait_seconds() noexcept;

  /// Bytes of all of it, before there is any; and of what there is.
  [[nodiscard]] static std::size_t bytes_needed(const ExchangeLayout& layout, const NodeMemorySize& size) {
    return Plan(layout, size).bytes;
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return window_.memory().size(); }

 private:
  // Where everything lies; the same on every rank of the host.
  struct Plan {
    std::vector<std::size_t> buffers;    // [ranks] gradient arrays of each
    std::vector<std::size_t> gradients;  // [ranks] byte offset of the first of them
    std::size_t barrier = 0, progress = 0, notes = 0, shard_values = 0, block_values = 0, weights = 0, halves = 0,
                slots = 0, bytes = 0;
    Plan(const ExchangeLayout& layout, const NodeMemorySize& size);
    [[nodiscard]] Range first_touch(std::size_t place) const;
  };

  template <class T>
  [[nodiscard]] std::span<T> view(std::size_t offset, std::size_t count) const noexcept {
    return {reinterpret_cast<T*>(window_.memory().data() + offset), count};
  }

  Pulse& pulse_;
  std::size_t place_;
  std::size_t elements_, shards_, values_a_shard_, blocks_, slot_elements_, halves_;
  Plan plan_;
  NodeWindow window_;
  NodeBarrier barrier_;
  std::vector<ShardSums> sums_;                // [ranks]
  std::vector<Range> nodes_;                   // of all ranks
  std::vector<std::span<const float>> parts_;  // [nodes]
  std::size_t block_values_taken_ = 0;
  std::size_t notes_taken_ = 0;
  double wait_seconds_ = 0;
};

}  // namespace lockstep
