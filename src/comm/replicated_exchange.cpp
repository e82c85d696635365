#include "comm/replicated_exchange.hpp"

#include <fmt/format.h>

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
      total_(layout.elements) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  std::vector<std::int64_t> starts(ranks + 1, 0);
  starts[static_cast<std::size_t>(comm.rank())] = static_cast<std::int64_t>(layout.owned_shards.begin);
  if (comm.is_root()) starts[ranks] = static_cast<std::int64_t>(layout.shards);
  comm.sum(starts);
  shard_starts_.assign(starts.begin(), starts.end());
  value_starts_.resize(ranks + 1);
}

void ReplicatedExchange::reduce(std::span<double> shard_values, BlockVisitor visit) {
  const std::size_t columns = shard_values.size() / layout_.shards;
  std::transform(shard_starts_.begin(), shard_starts_.end(), value_starts_.begin(),
                 [columns](std::size_t start) { return start * columns; });
  comm_.gather_parts(shard_values, value_starts_);
  add_up();
  sums_.reset();
  revisit(visit);
}

void ReplicatedExchange::revisit(BlockVisitor visit) {
  for (std::size_t block = 0; block < layout_.blocks.size(); ++block) {
    const Range range = layout_.blocks[block].range;
    visit(block, total_.view().subspan(range.begin, range.size()));
  }
}

std::size_t ReplicatedExchange::bytes() const noexcept {
  return (2 + slots_.size() + partials_.size()) * layout_.elements * sizeof(float);
}

std::unique_ptr<Exchange> make_exchange(std::string_view name, const Communicator& comm, const ExchangeLayout& layout) {
  if (name == "tree") return make_tree_exchange(comm, layout);
  if (name == "allreduce") return make_allreduce_exchange(comm, layout);
  throw Error(ErrorKind::config, fmt::format("train.exchange: expected tree or allreduce, found \"{}\"", name));
}

}  // namespace lockstep
