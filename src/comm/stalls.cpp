#include "comm/stalls.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <limits>
#include <map>

namespace lockstep {
namespace {

constexpr double kGrace = 5;  // [s] where all wait: who is slow may be about to go on
constexpr double kElsewhere =
    10;                      // times the timeout: a rank of another host may be at work, which cannot be seen here
constexpr double kGone = 3;  // [s] after a rank's death, for mpirun to tell of it and to end the job

std::string place(const RankView& view, const std::string& host) {
  return fmt::format("rank {} on {}", view.rank, host);
}

std::string state_text(const RankView& view) {
  if (view.stopped()) return fmt::format("; its process {} is stopped", view.pid);
  if (view.state == 'D') return fmt::format("; its process {} waits for a disk or the network", view.pid);
  return "";
}

}  // namespace

std::string last_seen(const RankView& view) {
  const std::string where = fmt::format("{}{}", phase_name(view.phase), view.waits ? ", waiting for the others" : "");
  return view.step == 0 ? "last seen before the first step, in " + where
                        : fmt::format("last seen in step {}, in {}", view.step, where);
}

char process_state(std::int32_t pid) {
  if (kill(pid, 0) != 0 && errno == ESRCH) return 'X';
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(')');  // the name of the program may hold anything
  return name_end == std::string::npos || name_end + 2 >= text.size() ? '?' : text[name_end + 2];
}

std::string ranks_elsewhere(std::span<const std::string> hosts, const std::string& here) {
  std::map<std::string, std::vector<std::size_t>> others;
  for (std::size_t rank = 0; rank < hosts.size(); ++rank) {
    if (hosts[rank] != here) others[hosts[rank]].push_back(rank);
  }
  std::vector<std::string> texts;
  for (const auto& [host, ranks] : others) {
    texts.push_back(fmt::format("{} {} on {}", ranks.size() == 1 ? "rank" : "ranks", fmt::join(ranks, ", "), host));
  }
  return fmt::format("{}", fmt::join(texts, "; "));
}

std::optional<std::string> find_stall(std::span<const RankView> ranks, const std::string& host, double timeout,
                                      const std::string& elsewhere, bool terminating) {
  std::vector<std::string> gone;
  std::vector<std::string> silent;
  std::uint64_t most_waits = 0;
  double stillest = std::numeric_limits<double>::infinity();
  bool all_wait = std::ranges::none_of(ranks, &RankView::left);
  for (const RankView& view : ranks) {
    if (view.left) continue;
    most_waits = std::max(most_waits, view.waits_begun);
    stillest = std::min(stillest, view.still);
    all_wait = all_wait && view.waits;
  }
  for (const RankView& view : ranks) {
    if (view.left) continue;
    if (view.gone() && (terminating || view.missing >= kGone)) {
      gone.push_back(fmt::format("{} (process {}) is gone, {}", place(view, host), view.pid, last_seen(view)));
    }
    // Who waits is not to blame, but for one that was stopped while it waited; the others may have gone on since.
    const bool behind = !view.waits || view.waits_begun < most_waits || view.stopped();
    if (timeout > 0 && behind && view.still >= timeout) {
      silent.push_back(fmt::format("{} has given no sign of life for {:.0f} s: {}{}", place(view, host), view.still,
                                   last_seen(view), state_text(view)));
    }
  }
  if (!gone.empty()) return fmt::format("{}", fmt::join(gone, "; "));
  if (!silent.empty()) return fmt::format("{}", fmt::join(silent, "; "));
  if (timeout > 0 && all_wait && stillest >= (elsewhere.empty() ? timeout + kGrace : kElsewhere * timeout)) {
    const RankView& view = ranks.front();
    return fmt::format("the ranks on {} have waited {:.0f} s for {}; here {}", host, stillest,
                       elsewhere.empty() ? "each other" : "an answer of " + elsewhere, last_seen(view));
  }
  return {};
}

}  // namespace lockstep
