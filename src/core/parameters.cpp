// The layout of the arenas: cache-line borders, padding, and the fixed blocks.
#include "core/parameters.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

#include "core/buffer.hpp"

namespace lockstep {

std::size_t ParameterTable::add(std::string layer, std::string name, std::vector<std::size_t> shape,
                                ParameterKind kind) {
  const std::size_t size = std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>{});
  const Range range{arena_size_, arena_size_ + size};
  entries_.push_back({std::move(layer), std::move(name), std::move(shape), kind, range});
  constexpr std::size_t line = kCacheLine / sizeof(float);
  arena_size_ = (range.end + line - 1) / line * line;
  count_ += size;
  return entries_.size() - 1;
}

std::vector<Block> blocks_of(const ParameterTable& table) {
  std::vector<Block> blocks;
  for (std::size_t index = 0; index < table.entries().size(); ++index) {
    const Range range = table.entries()[index].range;
    for (std::size_t begin = range.begin; begin < range.end; begin += kBlockElements) {
      blocks.push_back({{begin, std::min(begin + kBlockElements, range.end)}, index});
    }
  }
  return blocks;
}

}  // namespace lockstep
