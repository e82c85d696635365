#include "comm/memory_check.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "comm/cores.hpp"
#include "core/byte_size.hpp"
#include "core/number_text.hpp"

namespace lockstep {
namespace {

using Ranks = std::vector<const RankMemory*>;

// What several ranks need in one place.
struct Sum {
  MemoryNeed need;
  std::size_t most = 0;  // that one of them has to itself
};

Sum add_up(const Ranks& ranks, bool all_of_host) {
  Sum sum;
  for (const RankMemory* rank : ranks) {
    sum.need.own += rank->need.own;
    sum.need.later += rank->need.later;
    sum.most = std::max(sum.most, rank->need.own);
  }
  // Who of several groups is asked for what all share cannot be told.
  if (all_of_host) sum.need.shared = ranks.front()->need.shared;
  return sum;
}

const char* more_memory(MemoryLimit::Kind kind) {
  switch (kind) {
    case MemoryLimit::Kind::machine:
      return "hosts with more memory";
    case MemoryLimit::Kind::group:
      return "more memory for the job (docker run --memory, Slurm's --mem)";
    case MemoryLimit::Kind::address_space:
      break;
  }
  return "a higher limit (ulimit -v)";
}

std::string tell(const Ranks& ranks, const Sum& sum, const MemoryLimit& limit, const MemoryUse& use) {
  constexpr std::size_t kTold = 50'000;  // bytes, of which a text of megabytes shows more than 0
  const bool one = limit.kind == MemoryLimit::Kind::address_space;
  std::vector<std::string> parts;
  if (sum.most >= kTold && ranks.size() > 1)
    parts.push_back(fmt::format("{} of up to {:.1f} MB", count_text(ranks.size(), "rank"), megabytes(sum.most)));
  if (sum.need.shared > 0 && (ranks.size() > 1 || one))
    parts.push_back(fmt::format("{:.1f} MB that the ranks of the host share", megabytes(sum.need.shared)));
  if (sum.need.later > 0)
    parts.push_back(fmt::format("{:.1f} MB on rank 0 to write a checkpoint", megabytes(sum.need.later)));
  const std::size_t whole = sum.need.own + sum.need.shared + sum.need.later;
  std::vector<std::string> ways;
  if (!one && ranks.size() > 1 && sum.need.own > sum.need.shared) ways.emplace_back("fewer ranks a host");
  if (!one && !use.way_out_on_host.empty()) ways.push_back(use.way_out_on_host);
  if (!use.way_out.empty()) ways.push_back(use.way_out);
  ways.emplace_back(more_memory(limit.kind));
  const std::string who = one ? fmt::format("rank {} on {}", ranks.front()->rank, ranks.front()->host_name)
                              : "host " + ranks.front()->host_name;
  return fmt::format("{} needs {:.1f} MB of memory on {}{}; {}. Ways out: {}", use.what, megabytes(whole), who,
                     parts.empty() ? "" : fmt::format(" ({})", fmt::join(parts, ", ")), describe(limit),
                     fmt::join(ways, ", or "));
}

// Of the ranks of one host.
std::optional<std::string> find_on_host(const Ranks& host, const MemoryUse& use) {
  for (const RankMemory* rank : host) {
    for (const MemoryLimit& limit : rank->limits) {
      Ranks under{rank};
      MemoryLimit most = limit;  // as the ranks of one group see it, who do not look at the same moment
      if (limit.kind != MemoryLimit::Kind::address_space) {
        under.clear();
        for (const RankMemory* other : host) {
          const auto same = std::ranges::find_if(other->limits, [&](const MemoryLimit& theirs) {
            return theirs.kind == limit.kind && theirs.id == limit.id;
          });
          if (same == other->limits.end()) continue;
          under.push_back(other);
          most.room = std::max(most.room, same->room);
        }
      }
      Sum sum = add_up(under, limit.kind == MemoryLimit::Kind::address_space || under.size() == host.size());
      if (limit.kind == MemoryLimit::Kind::address_space) sum.need.later = 0;
      if (sum.need.own + sum.need.shared + sum.need.later > most.room) return tell(under, sum, most, use);
    }
  }
  return {};
}

// For other ranks: a line of what a rank needs, and one for each of its limits.
std::string encode(const RankMemory& rank) {
  std::string text = fmt::format("{}\t{}\t{}\t{}", rank.need.own, rank.need.shared, rank.need.later, rank.host_name);
  for (const MemoryLimit& limit : rank.limits) {
    std::string name = limit.name;
    std::ranges::replace_if(
        name, [](char c) { return c == '\t' || c == '\n'; }, '?');
    text += fmt::format("\n{}\t{}\t{}\t{}", static_cast<int>(limit.kind), limit.room, limit.id, name);
  }
  return text;
}

std::vector<std::string_view> cut(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::size_t number_of(std::string_view text) {
  std::size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void decode(std::string_view text, RankMemory& rank) {
  bool first = true;
  for (const std::string_view line : cut(text, '\n')) {
    const std::vector<std::string_view> fields = cut(line, '\t');
    if (std::exchange(first, false)) {
      rank.need = {.own = number_of(fields[0]), .shared = number_of(fields[1]), .later = number_of(fields[2])};
      rank.host_name = fields[3];
      continue;
    }
    rank.limits.push_back({.kind = static_cast<MemoryLimit::Kind>(number_of(fields[0])),
                           .id = std::string(fields[2]),
                           .name = std::string(fields[3]),
                           .room = number_of(fields[1])});
  }
}

}  // namespace

std::optional<std::string> find_shortage(std::span<const RankMemory> ranks, const MemoryUse& use) {
  std::vector<int> seen;
  for (const RankMemory& first : ranks) {
    if (std::ranges::find(seen, first.host) != seen.end()) continue;
    seen.push_back(first.host);
    Ranks host;
    for (const RankMemory& rank : ranks) {
      if (rank.host == first.host) host.push_back(&rank);
    }
    if (auto text = find_on_host(host, use)) return text;
  }
  return {};
}

void require_memory(const Communicator& comm, const MemoryNeed& need, const MemoryUse& use) {
  RankMemory mine;
  comm.together([&] { mine = {.host_name = host_name(), .need = need, .limits = memory_limits()}; });
  const std::vector<std::string> texts = comm.gather_texts(encode(mine));
  std::vector<RankMemory> ranks(texts.size());
  for (std::size_t rank = 0; rank < texts.size(); ++rank) {
    ranks[rank].host = comm.hosts_of_ranks()[rank];
    ranks[rank].rank = comm.launch_rank(rank);
    decode(texts[rank], ranks[rank]);
  }
  if (const auto shortage = find_shortage(ranks, use)) throw Error(ErrorKind::config, *shortage).as_agreed();
}

}  // namespace lockstep
