#include "comm/node_memory.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "comm/patience.hpp"

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

}  // namespace

NodeMemory::Plan::Plan(const ExchangeLayout& layout, const NodeMemorySize& size) {
  Cutter cutter;
  const std::size_t ranks = size.owned_shards.size();
  barrier = cutter.take(1, NodeBarrier::bytes(ranks));
  progress = cutter.take(ranks, sizeof(RankProgress));
  notes = cutter.take(2, sizeof(std::atomic<std::uint32_t>));
  shard_values = cutter.take(layout.shards * layout.shard_values, sizeof(double));
  block_values = cutter.take(2 * size.blocks, sizeof(double));
  weights = cutter.take(layout.elements, sizeof(float));
  halves = cutter.take(size.halves, sizeof(std::uint16_t));
  slots = cutter.take(size.slot_elements * layout.slots, sizeof(float));
  for (const Range owned : size.owned_shards) {
    buffers.push_back(ShardSums::buffers_needed(layout.shards, owned));
    gradients.push_back(cutter.take(layout.elements * buffers.back(), sizeof(float)));
  }
  bytes = cutter.bytes();
}

// What a rank touches first: its gradients; the first rank all that comes before them.
Range NodeMemory::Plan::first_touch(std::size_t place) const {
  return {place == 0 ? 0 : gradients[place], place + 1 < gradients.size() ? gradients[place + 1] : bytes};
}

WindowUse use_of_node_memory() {
  return {.what = "train.exchange = \"node\"", .way_out = "train.exchange = \"tree\", which shares nothing"};
}

NodeMemory::NodeMemory(const Communicator& comm, const ExchangeLayout& layout, NodeMemorySize size)
    : pulse_(comm.pulse()),
      place_(static_cast<std::size_t>(comm.node_rank())),
      elements_(layout.elements),
      shards_(layout.shards),
      values_a_shard_(layout.shard_values),
      blocks_(size.blocks),
      slot_elements_(size.slot_elements),
      halves_(size.halves),
      plan_(layout, size),
      window_(comm, plan_.bytes, plan_.first_touch(place_), use_of_node_memory()),
      barrier_(window_.memory().subspan(plan_.barrier), place_, size.owned_shards.size()) {
  for (std::size_t place = 0; place < size.owned_shards.size(); ++place) {
    std::vector<std::span<float>> buffers;
    for (std::size_t b = 0; b < plan_.buffers[place]; ++b) {
      buffers.push_back(view<float>(plan_.gradients[place] + b * elements_ * sizeof(float), elements_));
    }
    const ShardSums& sums = sums_.emplace_back(layout.shards, size.owned_shards[place], std::move(buffers));
    for (std::size_t node = 0; node < sums.nodes().size(); ++node) {
      nodes_.push_back(sums.nodes()[node]);
      parts_.push_back(sums.sum(node));
    }
  }
}

void NodeMemory::put_shard_values(std::span<const double> all) const noexcept {
  for (const std::size_t shard : own_sums().order()) {
    const std::size_t first = shard * values_a_shard_;
    std::ranges::copy(all.subspan(first, values_a_shard_), shard_values().subspan(first).begin());
  }
}

std::uint32_t NodeMemory::wait(std::uint32_t notes) {
  const Waiting waiting(pulse_);
  return meet(notes);
}

std::uint32_t NodeMemory::meet(std::uint32_t notes, const FunctionRef<void()>* idle) {
  if (sums_.size() == 1) return barrier_.wait(notes, idle);  // there is nobody to wait for
  const auto start = std::chrono::steady_clock::now();
  if (pulse_.patience == nullptr) {
    notes = barrier_.wait(notes, idle);
  } else {
    const auto look = [&] {
      if (idle != nullptr) (*idle)();
      pulse_.patience->look();
    };
    const FunctionRef<void()> look_too(look);
    notes = barrier_.wait(notes, &look_too);
  }
  wait_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return notes;
}

double NodeMemory::take_wait_seconds() noexcept {
  return std::exchange(wait_seconds_, 0.0);
}

}  // namespace lockstep
