#include "comm/replicated_exchange.hpp"

#include <algorithm>

namespace lockstep {
namespace {

std::vector<Buffer<float>> make_buffers(std::size_t count, std::size_t elements) {
  std::vector<Buffer<float>> buffers;
  for (std::size_t i = 0; i < count; ++i) buffers.emplace_back(elements);
  return buffers;
}

std::vector<std::span<float>> views_of(std::vector<Buffer<float>>& buffers) {
  std::vector<std::span<float>> views;
  for (Buffer<float>& buffer : buffers) views.push_back(buffer.view());
  return views;
}

}  // namespace

ReplicatedExchange::ReplicatedExchange(const Communicator& comm, const ExchangeLayout& layout)
    : comm_(comm),
      layout_(layout),
      weights_(layout.elements),
      slots_(make_buffers(layout.slots, layout.elements)),
      partials_(make_buffers(ShardSums::buffers_needed(layout.shards, layout.owned_shards), layout.elements)),
      sums_(layout.shards, layout.owned_shards, views_of(partials_)),
      total_(layout.elements),
      shard_starts_(shard_starts(comm, layout)),
      value_starts_(shard_starts_) {
  for (std::size_t& start : value_starts_) start *= layout.shard_values;
}

void ReplicatedExchange::spread_slots(std::span<const std::span<const float>> slots) {
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (comm_.is_root()) std::ranges::copy(slots[slot], slots_[slot].view().begin());
    comm_.broadcast(slots_[slot].view());
  }
}

std::vector<std::span<const float>> ReplicatedExchange::gather_slots(SlotRoom& /*room*/) {
  std::vector<std::span<const float>> slots;
  for (Buffer<float>& slot : slots_) slots.emplace_back(slot.view());
  return slots;
}

void ReplicatedExchange::collect(std::span<double> shard_values) {
  comm_.gather_parts(shard_values, value_starts_);
  add_up();
  sums_.reset();
}

void ReplicatedExchange::visit(BlockVisitor visitor) {
  for (std::size_t block = 0; block < layout_.blocks.size(); ++block) {
    const Range range = layout_.blocks[block].range;
    visitor(block, PairSum(total_.view().subspan(range.begin, range.size())));
  }
}

std::size_t ReplicatedExchange::bytes() const noexcept {
  return (2 + slots_.size() + partials_.size()) * layout_.elements * sizeof(float);
}

}  // namespace lockstep
