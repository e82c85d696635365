// Source of the format: "Trace Event Format", Google 2016: complete events ("X") and metadata ("M"), times in
// microseconds. Processes and threads are numbered from 1: 0 is Linux' idle process to Perfetto.
#include "journal/trace_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace lockstep {
namespace {

using Event = Timeline::Event;

struct Names {
  std::string_view work;
  std::string_view wait;
};

// In the order of Phase.
constexpr std::array<Names, 16> kNames{{{"start", "wait at the start"},
                                        {"read data", "wait for reading"},
                                        {"gather", "wait for samples"},
                                        {"forward", "await weights"},
                                        {"backward", "wait in backward"},
                                        {"collect", "exchange wait"},
                                        {"update", "wait for norms"},
                                        {"publish", "publish wait"},
                                        {"between steps", "wait between steps"},
                                        {"score", "wait for scores"},
                                        {"save", "wait for saving"},
                                        {"write run folder", "wait for writing"},
                                        {"compare weights", "wait for comparing"},
                                        {"predict", "wait for predictions"},
                                        {"write predictions", "wait for writing predictions"},
                                        {"end", "wait at the end"}}};
static_assert(kNames.size() == static_cast<std::size_t>(Phase::ending) + 1);

// The rows of a process; the first shows whole steps.
enum Track : std::uint32_t { kSteps = 1, kMain, kWriter, kReader };
constexpr std::array<std::string_view, 5> kTrackNames = {"", "steps", "main", "writer", "reader"};

Track track_of(const Event& event) {
  constexpr std::array<Track, 3> tracks = {kMain, kWriter, kReader};  // in the order of Thread
  return tracks[static_cast<std::size_t>(event.thread)];
}

std::string_view name_of(const Event& event) {
  if (event.thread == Timeline::Thread::writer) return "write checkpoint";
  if (event.thread == Timeline::Thread::reader) return "read ahead";
  const Names& names = kNames[static_cast<std::size_t>(event.phase)];
  return event.waits ? names.wait : names.work;
}

class TraceText {
 public:
  TraceText(std::int64_t start, std::size_t ranks, std::uint64_t stride) : start_(start) {
    const std::string kept = stride == 1 ? "all" : fmt::format("{} of {}", Timeline::kGroup, stride * Timeline::kGroup);
    text_ =
        fmt::format(R"({{"displayTimeUnit": "ms", "otherData": {{"ranks": {}, "steps_kept": "{}"}}, "traceEvents": [)",
                    ranks, kept);
  }

  void add(const RankEvents& rank) {
    pid_ = rank.rank + 1;
    name("process", 0, fmt::format("rank {} on {}", rank.rank, rank.host), rank.rank);
    std::array<bool, kTrackNames.size()> used{};
    used[kSteps] = true;
    for (const Event& event : rank.events) used[track_of(event)] = true;
    for (std::uint32_t track = kSteps; track < used.size(); ++track) {
      if (used[track]) name("thread", track, std::string(kTrackNames[track]), static_cast<int>(track));
    }
    add_steps(rank.events);
    for (const Event& event : rank.events)
      complete(name_of(event), event.waits ? "wait" : "work", track_of(event), event, event.end);
  }

  std::string end() {
    text_ += "\n]}\n";
    return std::move(text_);
  }

 private:
  void separate() { text_ += std::exchange(first_, false) ? "\n" : ",\n"; }

  // What a process or a thread is called, and its place among them.
  void name(std::string_view what, std::uint32_t tid, const std::string& value, int place) {
    const std::string quoted = nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    for (const auto& [key, argument] : {std::pair{"name", quoted}, {"sort_index", std::to_string(place)}}) {
      separate();
      text_ += fmt::format(R"({{"ph": "M", "name": "{}_{}", "pid": {}, "tid": {}, "args": {{"{}": {}}}}})", what, key,
                           pid_, tid, key, argument);
    }
  }

  void complete(std::string_view name, std::string_view category, Track track, const Event& first, std::int64_t end) {
    const auto microseconds = [](std::int64_t time) { return fmt::format("{}.{:03}", time / 1000, time % 1000); };
    separate();
    text_ += fmt::format(R"({{"ph": "X", "name": "{}", "cat": "{}", "pid": {}, "tid": {}, "ts": {}, "dur": {}, )", name,
                         category, pid_, track, microseconds(first.begin - start_), microseconds(end - first.begin));
    text_ += fmt::format(R"("args": {{"step": {})", first.step);
    if (first.shard != kNoShard && track == kMain) text_ += fmt::format(R"(, "shard": {})", first.shard);
    text_ += "}}";
  }

  // The phases of a step follow each other.
  void add_steps(std::span<const Event> events) {
    const Event* first = nullptr;
    std::int64_t end = 0;
    const auto end_step = [&] {
      if (first != nullptr) complete(fmt::format("step {}", first->step), "step", kSteps, *first, end);
      first = nullptr;
    };
    for (const Event& event : events) {
      if (track_of(event) != kMain) continue;
      if (first != nullptr && (!of_a_step(event.phase) || event.step != first->step)) end_step();
      if (!of_a_step(event.phase)) continue;
      if (first == nullptr) first = &event;
      end = event.end;
    }
    end_step();
  }

  std::int64_t start_;
  int pid_ = 1;
  std::string text_;
  bool first_ = true;
};

}  // namespace

std::string format_trace(std::span<const RankEvents> ranks, std::uint64_t stride, const std::function<void()>& alive) {
  std::int64_t start = std::numeric_limits<std::int64_t>::max();
  for (const RankEvents& rank : ranks) {
    for (const Event& event : rank.events) start = std::min(start, event.begin);
  }
  TraceText text(start, ranks.size(), stride);
  for (const RankEvents& rank : ranks) {
    text.add(rank);
    if (alive) alive();
  }
  return text.end();
}

}  // namespace lockstep
