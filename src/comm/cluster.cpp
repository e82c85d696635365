#include "comm/cluster.hpp"

namespace lockstep {

Packing pack_shards(const Cluster& cluster) {
  Packing packing{{}, {0}};
  for (std::size_t host = 0; host < cluster.placement.hosts(); ++host) {
    for (const std::size_t rank : cluster.placement.ranks(host)) {
      const Range owned = cluster.owned_shards(rank);
      for (std::size_t shard = owned.begin; shard < owned.end; ++shard) packing.items.push_back(shard);
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
