#include "comm/replicated_exchange.hpp"

#include <algorithm>

namespace lockstep {
namespace {

// Arrays of a rank besides those of its shards' sums: weights and their gradient.
constexpr std::size_t kArrays = 2;

std::size_t partials_needed(const ExchangeLayout& layout) {
  return ShardSums::buffers_needed(layout.shards, layout.owned_shards);
}

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

ExchangePlan plan_replicated_exchange(const ExchangeLayout& layout) {
  const std::size_t arrays = kArrays + layout.slots + partials_needed(layout);
  return {.own_bytes = arrays * layout.elements * sizeof(float)};
}

ReplicatedExchange::Arrays::Arrays(const Communicator& comm, const ExchangeLayout& layout) {
  comm.together([&] {
    weights = Buffer<float>(layout.elements);
    total = Buffer<float>(layout.elements);
    slots = make_buffers(layout.slots, layout.elements);
    partials = make_buffers(partials_needed(layout), layout.elements);
  });
}

ReplicatedExchange::ReplicatedExchange(const Communicator& comm, const ExchangeLayout& layout, const ExchangePlan& plan)
    : Exchange(plan),
      comm_(comm),
      layout_(layout),
      arrays_(comm, layout),
      sums_(layout.shards, layout.owned_shards, views_of(arrays_.partials)),
      shard_starts_(shard_starts(comm, layout)),
      value_starts_(shard_starts_) {
  for (std::size_t& start : value_starts_) start *= layout.shard_values;
}

void ReplicatedExchange::spread_slots(std::span<const std::span<const float>> slots) {
  for (std::size_t slot = 0; slot < arrays_.slots.size(); ++slot) {
    if (comm_.is_root()) std::ranges::copy(slots[slot], arrays_.slots[slot].view().begin());
    comm_.broadcast(arrays_.slots[slot].view());
  }
}

std::vector<std::span<const float>> ReplicatedExchange::gather_slots(SlotRoom& /*room*/) {
  std::vector<std::span<const float>> slots;
  for (Buffer<float>& slot : arrays_.slots) slots.emplace_back(slot.view());
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
    visitor(block, PairSum(arrays_.total.view().subspan(range.begin, range.size())));
  }
}

std::size_t ReplicatedExchange::bytes() const noexcept {
  std::size_t elements = arrays_.weights.size() + arrays_.total.size();
  for (const auto* buffers : {&arrays_.slots, &arrays_.partials}) {
    for (const Buffer<float>& buffer : *buffers) elements += buffer.size();
  }
  return elements * sizeof(float);
}

}  // namespace lockstep
