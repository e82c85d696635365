#include "comm/placement.hpp"

#include <algorithm>

#include "core/buffer.hpp"
#include "core/tree.hpp"

namespace lockstep {

Placement::Placement(std::span<const int> host_of) : host_of_(host_of.size()) {
  std::vector<int> seen;
  for (std::size_t rank = 0; rank < host_of.size(); ++rank) {
    const auto host = static_cast<std::size_t>(std::find(seen.begin(), seen.end(), host_of[rank]) - seen.begin());
    if (host == seen.size()) {
      seen.push_back(host_of[rank]);
      ranks_.emplace_back();
    }
    host_of_[rank] = host;
    ranks_[host].push_back(rank);
    lanes_ = std::max(lanes_, ranks_[host].size());
  }
}

// Lane l is carried by the rank in place floor(l * ranks / lanes).
Range Placement::lanes_of(std::size_t host, std::size_t place) const {
  const std::size_t count = ranks_[host].size();
  const auto first = [&](std::size_t at) { return (at * lanes_ + count - 1) / count; };
  return {first(place), first(place + 1)};
}

std::vector<Range> Placement::nodes_of(std::size_t host, std::span<const std::size_t> shard_starts) const {
  std::vector<Range> runs;  // of shards
  for (const std::size_t rank : ranks_[host]) {
    const Range owned{shard_starts[rank], shard_starts[rank + 1]};
    if (!runs.empty() && runs.back().end == owned.begin) {
      runs.back().end = owned.end;
    } else {
      runs.push_back(owned);
    }
  }
  std::vector<Range> nodes;
  for (const Range run : runs) {
    const std::vector<Range> cover = tree_cover(shard_starts.back(), run);
    nodes.insert(nodes.end(), cover.begin(), cover.end());
  }
  return nodes;
}

Range elements_of(std::span<const Block> all, Range blocks) {
  if (blocks.empty()) return {};
  return {all[blocks.begin].range.begin, all[blocks.end - 1].range.end};
}

std::vector<std::size_t> deal_blocks(std::span<const Block> all, Range blocks, std::size_t parts) {
  std::size_t total = 0;
  for (std::size_t block = blocks.begin; block < blocks.end; ++block) total += all[block].range.size();
  std::vector<std::size_t> starts{blocks.begin};
  std::size_t before = 0;
  std::size_t next = blocks.begin;
  for (std::size_t part = 1; part < parts; ++part) {
    const std::size_t wanted = part_of(total, part, parts).begin;
    while (next < blocks.end && before + all[next].range.size() / 2 < wanted) before += all[next++].range.size();
    starts.push_back(next);
  }
  starts.push_back(blocks.end);
  return starts;
}

namespace {

bool adjoin(const Block& left, const Block& right) {
  return right.range.begin - left.range.end < kCacheLine / sizeof(float);
}

}  // namespace

std::vector<Bucket> make_buckets(std::span<const Block> all, std::size_t slices, std::size_t sums) {
  constexpr std::size_t kWanted = 32;  // buckets, at least
  const std::size_t most = std::max<std::size_t>(kMessageBlocks / sums, 1);
  const std::size_t blocks = slices * std::clamp<std::size_t>(all.size() / (kWanted * slices), 1, most);
  std::vector<Bucket> buckets;
  for (std::size_t end = all.size(); end > 0;) {
    std::size_t begin = end - 1;
    while (begin > 0 && end - begin < blocks && adjoin(all[begin - 1], all[begin])) --begin;
    buckets.push_back({deal_blocks(all, {begin, end}, slices)});
    end = begin;
  }
  return buckets;
}

}  // namespace lockstep
