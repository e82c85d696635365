// What a rank can be doing.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

namespace lockstep {

enum class Phase : std::uint32_t {
  starting,
  reading,
  gathering,  // from here ...
  forward,
  backward,
  collecting,
  updating,
  publishing,  // ... to here: a step
  between_steps,
  scoring,
  saving,
  writing,
  comparing,
  predicting,
  storing,
  ending
};

/// The phase in words: "the backward pass".
[[nodiscard]] constexpr std::string_view phase_name(Phase phase) noexcept {
  constexpr std::string_view names[] = {"the start",
                                        "reading data",
                                        "gathering samples",
                                        "the forward pass",
                                        "the backward pass",
                                        "collecting the gradients",
                                        "the update",
                                        "handing out the weights",
                                        "the time between two steps",
                                        "scoring",
                                        "saving a checkpoint",
                                        "writing the run folder",
                                        "comparing the copies of the weights",
                                        "predicting",
                                        "writing predictions",
                                        "the end"};
  return names[static_cast<std::size_t>(phase)];
}

/// Whether it is a part of a training step.
[[nodiscard]] constexpr bool of_a_step(Phase phase) noexcept {
  return phase >= Phase::gathering && phase <= Phase::publishing;
}

/// Where a phase belongs to no shard.
inline constexpr std::uint32_t kNoShard = std::numeric_limits<std::uint32_t>::max();

}  // namespace lockstep
