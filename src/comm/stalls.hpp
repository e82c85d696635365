// Who is to blame where nothing moves.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/pulse.hpp"

namespace lockstep {

/// What a rank's pulse showed, and for how long it has been the same.
struct RankView {
  int rank = 0;
  std::uint64_t beats = 0;
  std::uint64_t waits_begun = 0;
  std::uint64_t step = 0;
  Phase phase = Phase::starting;
  bool waits = false;
  bool left = false;
  std::int32_t pid = 0;
  char state = '?';    ///< of its process, as in proc(5), where there was reason to ask; 'X': there is none
  double still = 0;    ///< [s] since the pulse changed
  double missing = 0;  ///< [s] since its process was seen to be gone

  /// Its process runs no more; perhaps its parent has not asked for it yet.
  [[nodiscard]] bool gone() const noexcept { return state == 'X' || state == 'Z'; }
  [[nodiscard]] bool stopped() const noexcept { return state == 'T' || state == 't'; }
};

/// Why to end the job, if there is reason to. A rank of this host that is silent for `timeout` and does not wait is to
/// blame; other hosts, of which nothing is seen, only after ten times as long: a rank there may be at work. `ranks`:
/// those of this host. `timeout`: [s], 0: never. `elsewhere`: the ranks of other hosts in words; empty: there are none.
/// `terminating`: this process was told to end.
[[nodiscard]] std::optional<std::string> find_stall(std::span<const RankView> ranks, const std::string& host,
                                                    double timeout, const std::string& elsewhere, bool terminating);

/// What a rank was seen to do last, in words: "last seen in step 7, in the update".
[[nodiscard]] std::string last_seen(const RankView& view);

/// The ranks that are not on host `here`, in words: "ranks 4, 5 on b". `hosts`: of all ranks.
[[nodiscard]] std::string ranks_elsewhere(std::span<const std::string> hosts, const std::string& here);

/// State of a process: 'R', 'S', 'D', 'T', ... as in proc(5); 'X': there is none; '?': the system does not tell.
[[nodiscard]] char process_state(std::int32_t pid);

}  // namespace lockstep
