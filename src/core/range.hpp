// Half-open index ranges, and how a range is cut into nearly equal parts.
#pragma once

#include <cstddef>

namespace lockstep {

/// [begin, end).
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;

  [[nodiscard]] constexpr std::size_t size() const noexcept { return end - begin; }
  [[nodiscard]] constexpr bool empty() const noexcept { return end == begin; }
  [[nodiscard]] constexpr bool contains(std::size_t index) const noexcept { return begin <= index && index < end; }
  constexpr bool operator==(const Range&) const = default;
};

/// Part `index` of `parts` of [0, count): [floor(count*index/parts), floor(count*(index+1)/parts)).
/// Parts may be empty. count * parts must fit 64 bits.
[[nodiscard]] constexpr Range part_of(std::size_t count, std::size_t index, std::size_t parts) noexcept {
  return {count * index / parts, count * (index + 1) / parts};
}

}  // namespace lockstep
