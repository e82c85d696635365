#include "comm/cluster.hpp"

#include <algorithm>

namespace lockstep {

Cluster::Cluster(const Communicator& comm, const ExchangeLayout& layout)
    : shard_starts(lockstep::shard_starts(comm, layout)), placement(comm.hosts_of_ranks()) {
  std::size_t most = 1;
  for (std::size_t host = 0; host < placement.hosts(); ++host) {
    nodes.push_back(placement.nodes_of(host, shard_starts));
    most = std::max(most, nodes.back().size());
  }
  buckets = make_buckets(layout.blocks, placement.hosts() * placement.lanes(), most);
}

Packing pack_shards(const Cluster& cluster, std::size_t values) {
  Packing packing{{}, {0}};
  for (std::size_t host = 0; host < cluster.placement.hosts(); ++host) {
    for (const std::size_t rank : cluster.placement.ranks(host)) {
      const Range owned = cluster.owned_shards(rank);
      for (std::size_t item = owned.begin * values; item < owned.end * values; ++item) packing.items.push_back(item);
    }
    packing.end_host();
  }
  return packing;
}

Packing pack_blocks(const Cluster& cluster) {
  Packing packing{{}, {0}};
  for (std::size_t host = 0; host < cluster.placement.hosts(); ++host) {
    for (const Bucket& bucket : cluster.buckets) {
      const Range blocks = cluster.blocks_of(bucket, host);
      for (std::size_t block = blocks.begin; block < blocks.end; ++block) packing.items.push_back(block);
    }
    packing.end_host();
  }
  return packing;
}

}  // namespace lockstep
