// One set of weights a host, every weight updated once, the bits of the tree; for jobs on one host.
//
// Weights, optimizer state and the gradients of all ranks lie in one shared window. A rank adds its slice of every
// gradient in the order of the tree, a block at a time, and hands each sum to the update while it is in cache. Two
// barriers a step: one when all gradients are there, one when all weights are.
#include <algorithm>
#include <utility>

#include "comm/exchange.hpp"
#include "comm/node_memory.hpp"
#include "comm/placement.hpp"
#include "comm/tree_adder.hpp"
#include "core/tree.hpp"

namespace lockstep {
namespace {

std::vector<Range> owned_by_all(std::span<const std::size_t> shard_starts) {
  std::vector<Range> owned;
  for (std::size_t rank = 0; rank + 1 < shard_starts.size(); ++rank) {
    owned.push_back({shard_starts[rank], shard_starts[rank + 1]});
  }
  return owned;
}

NodeMemorySize memory_size(const Communicator& comm, const ExchangeLayout& layout, std::size_t num_blocks) {
  return {
      .owned_shards = owned_by_all(shard_starts(comm, layout)), .blocks = num_blocks, .slot_elements = layout.elements};
}

class NodeExchange final : public Exchange {
 public:
  NodeExchange(const Communicator& comm, const ExchangeLayout& layout, const ExchangePlan& plan)
      : Exchange(plan),
        layout_(layout),
        memory_(comm, layout, memory_size(comm, layout, layout.blocks.size())),
        block_starts_(deal_blocks(layout.blocks, {0, layout.blocks.size()}, memory_.ranks())),
        program_(layout.shards, memory_.nodes()),
        adder_(program_.depth()) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "node"; }
  [[nodiscard]] std::span<float> weights() noexcept override { return memory_.weights(); }
  [[nodiscard]] std::span<float> slot(std::size_t slot, std::size_t block) noexcept override {
    const Range range = layout_.blocks[block].range;
    return memory_.slot(slot).subspan(range.begin, range.size());
  }
  void spread_weights() override { memory_.wait(); }
  void spread_slots(std::span<const std::span<const float>> slots) override {
    if (memory_.place() == 0) {
      for (std::size_t slot = 0; slot < slots.size(); ++slot)
        std::ranges::copy(slots[slot], memory_.slot(slot).begin());
    }
    memory_.wait();
  }
  [[nodiscard]] std::vector<std::span<const float>> gather_slots(SlotRoom& /*room*/) override {
    std::vector<std::span<const float>> slots;
    for (std::size_t slot = 0; slot < layout_.slots; ++slot) slots.emplace_back(memory_.slot(slot));
    return slots;
  }
  [[nodiscard]] bool owns(std::size_t block) const noexcept override { return owned().contains(block); }
  [[nodiscard]] std::span<const std::size_t> shard_order() const noexcept override {
    return memory_.own_sums().order();
  }
  [[nodiscard]] std::span<float> gradient() override { return own_sums().next(); }
  void shard_done(std::size_t from) override { own_sums().push(from); }

  void collect(std::span<double> shard_values) override {
    memory_.put_shard_values(shard_values);
    memory_.wait();
    std::ranges::copy(memory_.shard_values(), shard_values.begin());
    own_sums().reset();
    visited_ = false;
  }

  void visit(BlockVisitor visitor) override {
    const bool again = std::exchange(visited_, true);
    for (std::size_t block = owned().begin; block < owned().end; ++block) {
      const Range range = layout_.blocks[block].range;
      if (!layout_.revisits) {
        visitor(block, add_up(range));
        continue;
      }
      // The sum stays in this rank's first buffer: nobody else reads these elements of it.
      const std::span<float> whole = memory_.own_gradient().subspan(range.begin, range.size());
      if (!again) add_up(range).write_to(whole);
      visitor(block, std::span<const float>(whole));
    }
  }

  void gather_blocks(std::span<double> values) override {
    const std::span<double> shared = memory_.next_block_values();
    for (std::size_t block = owned().begin; block < owned().end; ++block) shared[block] = values[block];
    memory_.wait();
    std::ranges::copy(shared, values.begin());
  }

  std::uint32_t publish(std::uint32_t notes) override { return memory_.wait(notes); }

  [[nodiscard]] std::optional<std::size_t> not_finite_shard() const override { return memory_.own_sums().not_finite(); }
  [[nodiscard]] int copies() const noexcept override { return 1; }
  [[nodiscard]] bool holds_copy() const noexcept override { return memory_.place() == 0; }
  [[nodiscard]] StepWaits take_waits() noexcept override { return {.ranks = memory_.take_wait_seconds()}; }
  [[nodiscard]] std::size_t bytes() const noexcept override { return memory_.bytes() / memory_.ranks(); }

 private:
  [[nodiscard]] ShardSums& own_sums() noexcept { return memory_.sums(memory_.place()); }
  [[nodiscard]] Range owned() const noexcept {
    return {block_starts_[memory_.place()], block_starts_[memory_.place() + 1]};
  }

  // Elements `range` of the sum over all shards, but for the last addition, which is left to its reader.
  [[nodiscard]] PairSum add_up(Range range) {
    const auto part = [&](std::size_t node) { return memory_.part(node).subspan(range.begin, range.size()); };
    // The left one is the far one for ranks whose own gradient is on the right.
    return adder_.add_up(program_, range.size(), part, memory_.place() >= memory_.ranks() / 2);
  }

  bool visited_ = false;  // since the last collect
  const ExchangeLayout layout_;
  NodeMemory memory_;
  std::vector<std::size_t> block_starts_;  // [ranks + 1]
  TreeProgram program_;
  TreeAdder adder_;
};

}  // namespace

ExchangePlan plan_one_host_exchange(const Communicator& comm, const ExchangeLayout& layout, std::size_t num_blocks) {
  return {.shared_bytes = NodeMemory::bytes_needed(layout, memory_size(comm, layout, num_blocks)),
          .ranks = static_cast<std::size_t>(comm.node_size())};
}

std::unique_ptr<Exchange> make_one_host_exchange(const Communicator& comm, const ExchangeLayout& layout,
                                                 const ExchangePlan& plan) {
  return std::make_unique<NodeExchange>(comm, layout, plan);
}

}  // namespace lockstep
