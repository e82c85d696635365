// Which rank has which shards, slices and sums in a job on several hosts; the same on every rank.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/exchange.hpp"
#include "comm/placement.hpp"

namespace lockstep {

struct Cluster {
  std::vector<std::size_t> shard_starts;  // [ranks + 1]
  Placement placement;
  std::vector<Bucket> buckets;
  std::vector<std::vector<Range>> nodes;  // [hosts] of the tree, whose sums each host sends

  /// Collective.
  Cluster(const Communicator& comm, const ExchangeLayout& layout);

  [[nodiscard]] Range owned_shards(std::size_t rank) const { return {shard_starts[rank], shard_starts[rank + 1]}; }
  // The slices of all lanes of `host`, which lie side by side.
  [[nodiscard]] Range blocks_of(const Bucket& bucket, std::size_t host) const {
    const std::size_t lanes = placement.lanes();
    return {bucket.starts[host * lanes], bucket.starts[(host + 1) * lanes]};
  }
  [[nodiscard]] std::vector<std::size_t> partial_sums() const {
    std::vector<std::size_t> counts;
    for (const std::vector<Range>& of_host : nodes) counts.push_back(of_host.size());
    return counts;
  }
};

// Values of which each host has some, in packed form: an array in parts, one a host.
struct Packing {
  std::vector<std::size_t> items;   // of host 0, then of host 1, ...
  std::vector<std::size_t> starts;  // [hosts + 1]
  void end_host() { starts.push_back(items.size()); }
};

// `values`: of each shard.
[[nodiscard]] Packing pack_shards(const Cluster& cluster, std::size_t values);
[[nodiscard]] Packing pack_blocks(const Cluster& cluster);

}  // namespace lockstep
