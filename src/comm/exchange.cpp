#include "comm/exchange.hpp"

#include <fmt/format.h>

namespace lockstep {

std::vector<std::size_t> shard_starts(const Communicator& comm, const ExchangeLayout& layout) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  std::vector<std::int64_t> starts(ranks + 1, 0);
  starts[static_cast<std::size_t>(comm.rank())] = static_cast<std::int64_t>(layout.owned_shards.begin);
  if (comm.is_root()) starts[ranks] = static_cast<std::int64_t>(layout.shards);
  comm.sum(starts);
  return {starts.begin(), starts.end()};
}

ExchangePlan plan_exchange(std::string_view name, const Communicator& comm, const ExchangeLayout& layout,
                           std::size_t num_blocks, FunctionRef<std::vector<Block>()> blocks) {
  if (name == "node") {
    if (comm.nodes() == 1) return plan_one_host_exchange(comm, layout, num_blocks);
    ExchangeLayout whole = layout;
    whole.blocks = blocks();
    return plan_hosts_exchange(comm, whole);
  }
  if (layout.wire != Wire::float32) {
    throw Error(
        ErrorKind::config,
        fmt::format("train.wire: only train.exchange = \"node\" moves anything but float32, found \"{}\"", name))
        .as_agreed();
  }
  if (name != "tree" && name != "allreduce") {
    throw Error(ErrorKind::config, fmt::format("train.exchange: expected node, tree or allreduce, found \"{}\"", name))
        .as_agreed();
  }
  ExchangePlan plan = plan_replicated_exchange(layout);
  if (name == "allreduce" && comm.size() > 1) plan.bits_depend_on = "the rank count";
  return plan;
}

std::unique_ptr<Exchange> make_exchange(std::string_view name, const Communicator& comm, const ExchangeLayout& layout) {
  const auto blocks = [&] { return layout.blocks; };
  const ExchangePlan plan = plan_exchange(name, comm, layout, layout.blocks.size(), blocks);
  if (name == "tree") return make_tree_exchange(comm, layout, plan);
  if (name == "allreduce") return make_allreduce_exchange(comm, layout, plan);
  return comm.nodes() == 1 ? make_one_host_exchange(comm, layout, plan) : make_hosts_exchange(comm, layout, plan);
}

}  // namespace lockstep
