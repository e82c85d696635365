// The layout of the arenas: cache-line borders, padding, and the fixed blocks.
#include "core/parameters.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/buffer.hpp"
#include "lockstep/error.hpp"

namespace lockstep {

std::size_t ParameterTable::add(std::string layer, std::string name, std::vector<std::size_t> shape,
                                ParameterKind kind) {
  std::size_t size = 1;
  bool fits = true;
  for (const std::size_t extent : shape) fits = fits && !__builtin_mul_overflow(size, extent, &size);
  if (!fits || size > kMaxElements - std::min(arena_size_, kMaxElements)) {
    throw Error(ErrorKind::config, fmt::format("{}/{} [{}]: with it the net has more than {} weights, the most there "
                                               "may be",
                                               layer, name, fmt::join(shape, ", "), kMaxElements));
  }
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
