// What the two plain exchanges share: every rank holds everything and updates everything.
#pragma once

#include "comm/exchange.hpp"

namespace lockstep {

class ReplicatedExchange : public Exchange {
 public:
  ReplicatedExchange(const Communicator& comm, const ExchangeLayout& layout, const ExchangePlan& plan);

  [[nodiscard]] std::span<float> weights() noexcept override { return arrays_.weights.view(); }
  [[nodiscard]] std::span<float> slot(std::size_t slot, std::size_t block) noexcept override {
    const Range range = layout_.blocks[block].range;
    return arrays_.slots[slot].view().subspan(range.begin, range.size());
  }
  void spread_weights() override { comm_.broadcast(arrays_.weights.view()); }
  void spread_slots(std::span<const std::span<const float>> slots) override;
  [[nodiscard]] std::vector<std::span<const float>> gather_slots(SlotRoom& room) override;
  [[nodiscard]] bool owns(std::size_t /*block*/) const noexcept override { return true; }
  [[nodiscard]] std::span<const std::size_t> shard_order() const noexcept override { return sums_.order(); }
  [[nodiscard]] std::span<float> gradient() override { return sums_.next(); }
  void shard_done(std::size_t from) override { sums_.push(from); }
  void collect(std::span<double> shard_values) override;
  void visit(BlockVisitor visitor) override;
  void gather_blocks(std::span<double> /*values*/) override {}  // every rank has all blocks
  // Every rank has made the same update: there are only the notes.
  std::uint32_t publish(std::uint32_t notes) override { return comm_.combine(notes); }
  [[nodiscard]] std::optional<std::size_t> not_finite_shard() const override { return sums_.not_finite(); }
  [[nodiscard]] int copies() const noexcept override { return comm_.size(); }
  [[nodiscard]] bool holds_copy() const noexcept override { return true; }
  [[nodiscard]] std::size_t bytes() const noexcept override;

 protected:
  /// Sets arrays_.total to the sum over all shards. Collective.
  virtual void add_up() = 0;

  // What there may be no memory for: taken by all ranks together.
  struct Arrays {
    Buffer<float> weights;
    Buffer<float> total;  // [elements], the sum over all shards
    std::vector<Buffer<float>> slots;
    std::vector<Buffer<float>> partials;
    Arrays(const Communicator& comm, const ExchangeLayout& layout);
  };

  const Communicator& comm_;
  const ExchangeLayout layout_;
  Arrays arrays_;
  ShardSums sums_;
  std::vector<std::size_t> shard_starts_;  // [ranks + 1] first owned shard of each rank
  std::vector<std::size_t> value_starts_;  // [ranks + 1] and its first value
};

}  // namespace lockstep
