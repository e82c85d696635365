// Which hosts measure their link at the same time: pairs of a round share no host.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace lockstep {

/// Rounds of pairs (a, b), a < b, of `hosts` hosts; the two of a pair differ by the round's number, bit by bit. Up to
/// `most_for_all` hosts, all pairs; of more, those whose numbers differ in one bit, so that the rounds stay few.
[[nodiscard]] inline std::vector<std::vector<std::pair<std::size_t, std::size_t>>> host_pairs(
    std::size_t hosts, std::size_t most_for_all = 16) {
  std::vector<std::vector<std::pair<std::size_t, std::size_t>>> rounds;
  std::size_t end = 1;
  while (end < hosts) end *= 2;
  for (std::size_t difference = 1; difference < end; difference += hosts <= most_for_all ? 1 : difference) {
    auto& round = rounds.emplace_back();
    for (std::size_t a = 0; a < hosts; ++a) {
      const std::size_t b = a ^ difference;
      if (a < b && b < hosts) round.emplace_back(a, b);
    }
  }
  return rounds;
}

}  // namespace lockstep
