#include "data/stream_plan.hpp"

#include <algorithm>

#include "core/random.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kBlocksOfAWindow = 16;  // that are aimed at
constexpr std::size_t kFewestOfAWindow = 4;   // that are settled for, to keep what the file keeps together
constexpr std::size_t kBlocksOfAShard = 16;   // of a small file

constexpr std::size_t ceil_of(std::size_t count, std::size_t parts) noexcept {
  return (count + parts - 1) / parts;
}

}  // namespace

std::size_t choose_block(std::size_t samples, std::size_t shards, std::size_t window_rows, std::size_t chunk) noexcept {
  std::size_t block = window_rows / kBlocksOfAWindow;
  if (chunk > 1 && chunk <= window_rows / kFewestOfAWindow) {
    block = std::max<std::size_t>((block + chunk / 2) / chunk, 1) * chunk;
  }
  block = std::min(block, samples / kBlocksOfAShard / shards);
  return std::max<std::size_t>(block, 1);
}

// A window between two others has at least two thirds of the blocks that it may have. Of these one may be short, and
// the rest must hold a batch's rows.
StreamPlan::StreamPlan(const StreamShape& shape) : shape_(shape), shards_{.shards = shape.shards, .ranks = 1} {
  shape_.batch = std::min(shape_.batch, shape_.samples);
  epoch_ = {.samples = shape_.samples, .batch = shape_.batch};
  const std::size_t of_batch = ceil_of(shards_.max_rows(shape_.batch), shape_.block);
  window_blocks_ = std::max(shape_.window_rows / shape_.block, ceil_of(3 * (of_batch + 1), 2));
}

std::size_t StreamPlan::max_window_rows() const noexcept {
  std::size_t longest = 0;
  for (std::size_t shard = 0; shard < shape_.shards; ++shard) longest = std::max(longest, part(shard).size());
  return std::min(longest, window_blocks_ * shape_.block);
}

std::size_t StreamPlan::begin_of(std::size_t shard) const noexcept {
  const std::size_t full = shape_.samples / shape_.batch;
  const std::size_t rest = shape_.samples % shape_.batch;
  return full * (shape_.batch * shard / shape_.shards) + rest * shard / shape_.shards;
}

Range StreamPlan::rows(std::size_t batch, std::size_t shard) const noexcept {
  const std::size_t begin = batch * shards_.rows(shape_.batch, shard).size();  // those before are full
  return {begin, begin + shards_.rows(epoch_.positions(batch).size(), shard).size()};
}

std::size_t StreamPlan::batch_of(std::size_t row, std::size_t shard) const noexcept {
  const std::size_t of_full = shards_.rows(shape_.batch, shard).size();
  const std::size_t last = epoch_.batches() - 1;
  return of_full == 0 ? last : std::min(row / of_full, last);
}

StreamOrder::StreamOrder(const StreamPlan& plan, std::uint64_t seed, std::uint64_t epoch)
    : plan_(plan), seed_(seed), epoch_(epoch), order_(plan.blocks()) {
  fill_permutation({seed, RandomPurpose::blocks, 0, static_cast<std::uint32_t>(epoch), 0}, order_);
  const auto last = static_cast<std::uint32_t>(order_.size() - 1);
  short_at_ = static_cast<std::size_t>(std::ranges::find(order_, last) - order_.begin());
  missing_ = order_.size() * plan.shape().block - plan.shape().samples;
}

std::size_t StreamOrder::begin_of(std::size_t block) const noexcept {
  return block * plan_.shape().block - (block > short_at_ ? missing_ : 0);
}

std::size_t StreamOrder::block_at(std::size_t place) const noexcept {
  const std::size_t behind_short = begin_of(short_at_ + 1);
  return (place < behind_short ? place : place + missing_) / plan_.shape().block;
}

StreamOrder::Blocks StreamOrder::blocks_of(std::size_t shard) const noexcept {
  const Range part = plan_.part(shard);
  if (part.empty()) return {};
  const Range range{block_at(part.begin), block_at(part.end - 1) + 1};
  return {range, ceil_of(range.size(), plan_.window_blocks())};
}

std::size_t StreamOrder::windows(std::size_t shard) const noexcept {
  return blocks_of(shard).windows;
}

Range StreamOrder::window(std::size_t shard, std::size_t index) const noexcept {
  const Range part = plan_.part(shard);
  const Blocks blocks = blocks_of(shard);
  const Range own = part_of(blocks.range.size(), index, blocks.windows);
  return {std::max(part.begin, begin_of(blocks.range.begin + own.begin)),
          std::min(part.end, begin_of(blocks.range.begin + own.end))};
}

std::vector<StreamOrder::Piece> StreamOrder::pieces(Range places) const {
  std::vector<Piece> pieces;
  for (std::size_t at = places.begin; at < places.end;) {
    const std::size_t block = block_at(at);
    const std::size_t end = std::min(begin_of(block + 1), places.end);
    const std::size_t row = order_[block] * plan_.shape().block + (at - begin_of(block));
    pieces.push_back({{row, row + (end - at)}, at});
    at = end;
  }
  return pieces;
}

void StreamOrder::shuffle(std::size_t shard, std::size_t index, std::span<std::uint32_t> order) const {
  fill_permutation({seed_, RandomPurpose::window, static_cast<std::uint32_t>(shard), static_cast<std::uint32_t>(epoch_),
                    static_cast<std::uint32_t>(index)},
                   order);
}

std::vector<std::size_t> StreamOrder::entries() const {
  std::vector<std::size_t> batches;
  for (std::size_t shard = 0; shard < plan_.shape().shards; ++shard) {
    const std::size_t begin = plan_.part(shard).begin;
    for (std::size_t index = 0; index < windows(shard); ++index) {
      batches.push_back(plan_.batch_of(window(shard, index).begin - begin, shard));
    }
  }
  std::ranges::sort(batches);
  const auto doubled = std::ranges::unique(batches);
  batches.erase(doubled.begin(), doubled.end());
  return batches;
}

}  // namespace lockstep
