// Whether all copies of the state are still the same: memory may fail, and so may a network.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "comm/cores.hpp"
#include "core/hash.hpp"
#include "step/engine.hpp"

namespace lockstep {
namespace {

// The text that most have; of two that are as many, the one of the lowest rank.
std::string most_common(std::span<const std::string> texts) {
  std::map<std::string, std::size_t> counts;
  for (const std::string& text : texts) ++counts[text];
  return *std::max_element(texts.begin(), texts.end(),
                           [&](const auto& a, const auto& b) { return counts.at(a) < counts.at(b); });
}

}  // namespace

void Engine::audit() {
  if (exchange_->copies() < 2) return;
  const During comparing(comm_.pulse(), Phase::comparing);
  std::string mine;
  exchange_->await_weights(all_elements());
  if (exchange_->holds_copy()) {
    Hash hash;
    hash.floats(exchange_->weights());
    for (std::size_t block = 0; block < blocks_.size() && exchange_->copies_have_slots(); ++block) {
      for (const std::span<const float> slot : slots_of(block)) hash.floats(slot);
      if (has_ema()) hash.floats(ema_of(block));
    }
    mine = hash.hex();
  }
  const std::vector<std::string> hosts = comm_.gather_texts(host_name());
  const std::vector<std::string> of_ranks = comm_.gather_texts(mine);  // empty where a rank holds none
  std::vector<std::string> digests = of_ranks;
  std::erase(digests, "");
  const std::string expected = most_common(digests);
  std::vector<std::string> odd;
  for (std::size_t rank = 0; rank < of_ranks.size(); ++rank) {
    if (of_ranks[rank].empty() || of_ranks[rank] == expected) continue;
    odd.push_back(fmt::format("rank {} on {}", comm_.launch_rank(rank), hosts[rank]));
  }
  if (odd.empty()) return;
  throw Error(ErrorKind::internal,
              fmt::format("the copies of weights and optimizer state have drifted apart by step {}: {} of {} differ "
                          "from the others: {}{}; "
                          "the memory or the network of that machine may be faulty; go on from a checkpoint",
                          info.position.step, odd.size(), digests.size(), fmt::join(odd, ", "),
                          2 * odd.size() == digests.size() ? " (or the others from them: as many differ)" : ""))
      .as_agreed();
}

}  // namespace lockstep
