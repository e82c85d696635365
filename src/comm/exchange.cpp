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

std::unique_ptr<Exchange> make_exchange(std::string_view name, const Communicator& comm, const ExchangeLayout& layout) {
  if (name == "node") {
    return comm.nodes() == 1 ? make_one_host_exchange(comm, layout) : make_hosts_exchange(comm, layout);
  }
  if (layout.wire != Wire::float32) {
    throw Error(
        ErrorKind::config,
        fmt::format("train.wire: only train.exchange = \"node\" moves anything but float32, found \"{}\"", name))
        .as_agreed();
  }
  if (name == "tree") return make_tree_exchange(comm, layout);
  if (name == "allreduce") return make_allreduce_exchange(comm, layout);
  throw Error(ErrorKind::config, fmt::format("train.exchange: expected node, tree or allreduce, found \"{}\"", name))
      .as_agreed();
}

}  // namespace lockstep
