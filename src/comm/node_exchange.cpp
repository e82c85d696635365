// One set of weights a host, every weight updated once, the bits of the tree.
//
// Weights, optimizer state and the gradients of all ranks lie in one shared window. A rank adds its slice of every
// gradient in the order of the tree, a block at a time, and hands each sum to the update while it is in cache. Two
// barriers a step: one when all gradients are there, one when all weights are.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "comm/exchange.hpp"
#include "comm/node_barrier.hpp"
#include "comm/node_window.hpp"
#include "core/convert.hpp"
#include "core/sums.hpp"
#include "core/tree.hpp"

namespace lockstep {
namespace {

// Cuts a window into cache-line aligned arrays.
class Cutter {
 public:
  // Where the next `count` elements of `size` bytes begin.
  std::size_t take(std::size_t count, std::size_t size) {
    const std::size_t begin = end_;
    end_ = (end_ + count * size + kCacheLine - 1) / kCacheLine * kCacheLine;
    return begin;
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return end_; }

 private:
  std::size_t end_ = 0;
};

// Where everything lies in the window; the same on every rank.
struct Plan {
  std::vector<std::size_t> shard_starts;  // [ranks + 1]
  std::vector<std::size_t> buffers;       // [ranks] gradient buffers of each
  std::vector<std::size_t> gradients;     // [ranks] byte offset of the first of them
  std::size_t barrier = 0, weights = 0, slots = 0, shard_values = 0, block_values = 0, bytes = 0;

  Plan(const Communicator& comm, const ExchangeLayout& layout) : shard_starts(lockstep::shard_starts(comm, layout)) {
    Cutter cutter;
    barrier = cutter.take(1, NodeBarrier::bytes(shard_starts.size() - 1));
    shard_values = cutter.take(layout.shards, sizeof(double));
    block_values = cutter.take(2 * layout.blocks.size(), sizeof(double));
    weights = cutter.take(layout.elements, sizeof(float));
    slots = cutter.take(layout.elements * layout.slots, sizeof(float));
    for (std::size_t rank = 0; rank + 1 < shard_starts.size(); ++rank) {
      buffers.push_back(ShardSums::buffers_needed(layout.shards, {shard_starts[rank], shard_starts[rank + 1]}));
      gradients.push_back(cutter.take(layout.elements * buffers.back(), sizeof(float)));
    }
    bytes = cutter.bytes();
  }

  // What `rank` touches first: its gradients; rank 0 all that comes before them.
  [[nodiscard]] Range first_touch(std::size_t rank) const {
    return {rank == 0 ? 0 : gradients[rank], rank + 1 < gradients.size() ? gradients[rank + 1] : bytes};
  }
};

// The first block of every rank, so that elements are dealt as evenly as whole blocks allow: [ranks + 1].
std::vector<std::size_t> deal_blocks(std::span<const Block> blocks, std::size_t ranks) {
  std::size_t total = 0;
  for (const Block& block : blocks) total += block.range.size();
  std::vector<std::size_t> starts{0};
  std::size_t before = 0;
  std::size_t next = 0;
  for (std::size_t rank = 1; rank < ranks; ++rank) {
    const std::size_t wanted = part_of(total, rank, ranks).begin;
    while (next < blocks.size() && before + blocks[next].range.size() / 2 < wanted)
      before += blocks[next++].range.size();
    starts.push_back(next);
  }
  starts.push_back(blocks.size());
  return starts;
}

void check_one_host(const Communicator& comm) {
  if (comm.nodes() == 1) return;
  throw Error(ErrorKind::config,
              fmt::format("train.exchange = \"node\" works within one host, and this job is on {}; use "
                          "\"tree\" (the same bits) or \"allreduce\"",
                          comm.nodes()))
      .as_agreed();
}

class NodeExchange final : public Exchange {
 public:
  NodeExchange(const Communicator& comm, const ExchangeLayout& layout, Plan plan)
      : ranks_(static_cast<std::size_t>(comm.size())),
        rank_(static_cast<std::size_t>(comm.rank())),
        pulse_(comm.pulse()),
        layout_(layout),
        plan_(std::move(plan)),
        window_(comm, plan_.bytes, plan_.first_touch(rank_),
                {"train.exchange = \"node\"", "train.exchange = \"tree\", which shares nothing"}),
        barrier_(window_.memory().subspan(plan_.barrier), rank_, ranks_),
        weights_(view<float>(plan_.weights, layout.elements)),
        shard_values_(view<double>(plan_.shard_values, layout.shards)),
        block_values_(view<double>(plan_.block_values, 2 * layout.blocks.size())),
        block_starts_(deal_blocks(layout.blocks, ranks_)),
        program_(layout.shards, nodes_of_all()),
        scratch_(program_.depth() * kBlockElements),
        stack_(program_.depth()) {
    for (const ShardSums& sums : sums_) {
      for (std::size_t node = 0; node < sums.nodes().size(); ++node) parts_.push_back(sums.sum(node));
    }
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "node"; }
  [[nodiscard]] bool same_bits_at_any_rank_count() const noexcept override { return true; }
  [[nodiscard]] std::span<float> weights() noexcept override { return weights_; }
  [[nodiscard]] std::span<float> slot(std::size_t slot) noexcept override {
    return view<float>(plan_.slots + slot * layout_.elements * sizeof(float), layout_.elements);
  }
  void spread_from_root() override { wait(); }
  [[nodiscard]] Range owned_blocks() const noexcept override {
    return {block_starts_[rank_], block_starts_[rank_ + 1]};
  }
  [[nodiscard]] std::span<const std::size_t> shard_order() const noexcept override { return sums_[rank_].order(); }
  [[nodiscard]] std::span<float> gradient() override { return sums_[rank_].next(); }
  void shard_done() override { sums_[rank_].push(); }

  void collect(std::span<double> shard_values) override {
    for (const std::size_t shard : shard_order()) shard_values_[shard] = shard_values[shard];
    wait();
    std::ranges::copy(shard_values_, shard_values.begin());
    sums_[rank_].reset();
    visited_ = false;
  }

  void visit(BlockVisitor visitor) override {
    const Range owned = owned_blocks();
    const bool again = std::exchange(visited_, true);
    for (std::size_t block = owned.begin; block < owned.end; ++block) {
      const Range range = layout_.blocks[block].range;
      if (!layout_.revisits) {
        visitor(block, add_up(range));
        continue;
      }
      // The sum stays in this rank's first buffer: nobody else reads these elements of it.
      const std::span<float> whole = kept(range);
      if (!again) {
        const PairSum sum = add_up(range);
        for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = sum[i];
      }
      visitor(block, std::span<const float>(whole));
    }
  }

  // Two arrays in turn: a rank may still read the last one while others write. Before it is written again all have been
  // at a barrier, and so have read it.
  void gather_blocks(std::span<double> values) override {
    const std::span<double> shared = block_values_.subspan(gathers_++ % 2 * values.size(), values.size());
    const Range owned = owned_blocks();
    for (std::size_t block = owned.begin; block < owned.end; ++block) shared[block] = values[block];
    wait();
    std::ranges::copy(shared, values.begin());
  }

  std::uint32_t publish(std::uint32_t notes) override { return wait(notes); }

  [[nodiscard]] std::optional<std::size_t> not_finite_shard() const override { return sums_[rank_].not_finite(); }
  [[nodiscard]] int copies() const noexcept override { return 1; }
  [[nodiscard]] bool holds_copy() const noexcept override { return rank_ == 0; }

  [[nodiscard]] double take_wait_seconds() noexcept override { return std::exchange(wait_seconds_, 0.0); }

  [[nodiscard]] std::size_t bytes() const noexcept override { return plan_.bytes / ranks_; }

 private:
  template <class T>
  [[nodiscard]] std::span<T> view(std::size_t offset, std::size_t count) const noexcept {
    return {reinterpret_cast<T*>(window_.memory().data() + offset), count};
  }

  std::uint32_t wait(std::uint32_t notes = 0) noexcept {
    const Waiting waiting(pulse_);
    const auto start = std::chrono::steady_clock::now();
    notes = barrier_.wait(notes);
    wait_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return notes;
  }

  // Makes sums_, a ShardSums over the window for every rank, and returns the nodes of all, left to right.
  std::vector<Range> nodes_of_all() {
    std::vector<Range> nodes;
    for (std::size_t rank = 0; rank < ranks_; ++rank) {
      std::vector<std::span<float>> buffers;
      for (std::size_t b = 0; b < plan_.buffers[rank]; ++b) {
        buffers.push_back(view<float>(plan_.gradients[rank] + b * layout_.elements * sizeof(float), layout_.elements));
      }
      sums_.emplace_back(layout_.shards, Range{plan_.shard_starts[rank], plan_.shard_starts[rank + 1]},
                         std::move(buffers));
      const auto own = sums_.back().nodes();
      nodes.insert(nodes.end(), own.begin(), own.end());
    }
    return nodes;
  }

  // Elements `range` of the sum over all shards, but for the last addition, which is left to its reader.
  [[nodiscard]] PairSum add_up(Range range) {
    std::size_t height = 0;
    const std::span<const std::size_t> steps = program_.steps();
    for (const std::size_t step : steps.first(steps.size() - 1)) {
      if (step != TreeProgram::kAdd) {
        stack_[height++] = parts_[step].subspan(range.begin, range.size());
        continue;
      }
      --height;
      const std::span<float> sum = scratch_.view().subspan((height - 1) * kBlockElements, range.size());
      add(stack_[height - 1], stack_[height], sum);
      stack_[height - 1] = sum;
    }
    if (steps.back() != TreeProgram::kAdd) return parts_[steps.back()].subspan(range.begin, range.size());
    // The left one is the far one for ranks whose own gradient is on the right.
    const bool swap = rank_ >= ranks_ / 2;
    return {stack_[swap ? 1 : 0], stack_[swap ? 0 : 1]};
  }

  [[nodiscard]] std::span<float> kept(Range range) const noexcept {
    return view<float>(plan_.gradients[rank_], layout_.elements).subspan(range.begin, range.size());
  }

  std::size_t ranks_;
  std::size_t rank_;
  Pulse& pulse_;
  double wait_seconds_ = 0;
  bool visited_ = false;  // since the last collect
  const ExchangeLayout layout_;
  Plan plan_;
  NodeWindow window_;
  NodeBarrier barrier_;
  std::span<float> weights_;
  std::span<double> shard_values_;
  std::span<double> block_values_;  // [2][blocks]
  std::size_t gathers_ = 0;
  std::vector<std::size_t> block_starts_;  // [ranks + 1]
  std::vector<ShardSums> sums_;            // [ranks]
  TreeProgram program_;
  Buffer<float> scratch_;                      // [depth][block]
  std::vector<std::span<const float>> stack_;  // [depth]
  std::vector<std::span<const float>> parts_;  // [nodes of all ranks] partial sums, each [elements]
};

}  // namespace

std::unique_ptr<Exchange> make_node_exchange(const Communicator& comm, const ExchangeLayout& layout) {
  check_one_host(comm);
  return std::make_unique<NodeExchange>(comm, layout, Plan(comm, layout));
}

}  // namespace lockstep
