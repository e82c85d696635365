#include "comm/shard_sums.hpp"

#include <algorithm>

#include "core/sums.hpp"
#include "core/tree.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

// Appends, for each leaf of `node`, how many additions follow it in postfix order.
void append_adds(Range node, std::vector<std::size_t>& adds) {
  if (node.size() == 1) {
    adds.push_back(0);
    return;
  }
  const std::size_t mid = tree_split(node);
  append_adds({node.begin, mid}, adds);
  append_adds({mid, node.end}, adds);
  ++adds.back();
}

std::vector<std::size_t> adds_of(std::span<const Range> nodes) {
  std::vector<std::size_t> adds;
  for (const Range node : nodes) append_adds(node, adds);
  return adds;
}

std::vector<Range> largest_first(std::vector<Range> nodes) {
  std::stable_sort(nodes.begin(), nodes.end(), [](Range a, Range b) { return a.size() > b.size(); });
  return nodes;
}

}  // namespace

std::size_t ShardSums::buffers_needed(std::size_t shards, Range owned) {
  std::size_t height = 0;
  std::size_t most = 0;
  for (const std::size_t adds : adds_of(largest_first(tree_cover(shards, owned)))) {
    most = std::max(most, ++height);
    height -= adds;
  }
  return most;
}

ShardSums::ShardSums(std::size_t shards, Range owned, std::vector<std::span<float>> buffers)
    : nodes_(tree_cover(shards, owned)), buffers_(std::move(buffers)) {
  if (buffers_.size() < buffers_needed(shards, owned)) throw Error(ErrorKind::internal, "shard sums: too few buffers");
  round_end_ = added_from_ = buffers_.empty() ? 0 : buffers_.front().size();
  const std::vector<Range> made = largest_first(nodes_);
  adds_ = adds_of(made);
  for (const Range node : made) {
    for (std::size_t shard = node.begin; shard < node.end; ++shard) order_.push_back(shard);
  }
  for (const Range node : nodes_) {
    buffer_of_.push_back(static_cast<std::size_t>(std::find(made.begin(), made.end(), node) - made.begin()));
  }
}

std::span<float> ShardSums::next() {
  if (pushed_ == adds_.size()) throw Error(ErrorKind::internal, "shard sums: more gradients than shards");
  return buffers_[height_];
}

void ShardSums::add_from(std::size_t begin) {
  const std::size_t size = added_from_ - begin;
  std::size_t height = height_ + 1;
  for (std::size_t add = 0; add < adds_[pushed_]; ++add) {
    --height;
    const std::span<float> right = buffers_[height].subspan(begin, size);
    const bool finite = add_to_finite(buffers_[height - 1].subspan(begin, size), right);
    if (finite || not_finite_) continue;
    // The sum tells no more, but its right side is still there. A side of several shards was finite when it was made.
    const bool from_right = !all_finite(right);
    if (from_right && add == 0) not_finite_ = order_[pushed_];
    if (!from_right && add == 0 && adds_[pushed_ - 1] == 0) not_finite_ = order_[pushed_ - 1];
  }
  added_from_ = begin;
}

void ShardSums::push(std::size_t from) {
  const bool first_round = round_end_ == buffers_.front().size();
  if (pushed_ == 0 && first_round) not_finite_.reset();  // the first shard completes nothing
  add_from(from);
  height_ = height_ + 1 - adds_[pushed_];
  ++pushed_;
  if (pushed_ == adds_.size() && from > 0) {
    pushed_ = height_ = 0;
    round_end_ = from;
  }
  added_from_ = round_end_;
}

std::optional<std::size_t> ShardSums::not_finite() const {
  if (not_finite_) return not_finite_;
  for (std::size_t node = 0; node < nodes_.size(); ++node) {
    if (nodes_[node].size() == 1 && !all_finite(sum(node))) return nodes_[node].begin;
  }
  return {};
}

void ShardSums::reset() noexcept {
  pushed_ = 0;
  height_ = 0;
  round_end_ = added_from_ = buffers_.empty() ? 0 : buffers_.front().size();
}

}  // namespace lockstep
