#include "journal/trace.hpp"

#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <array>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "comm/cores.hpp"
#include "io/files.hpp"
#include "journal/trace_text.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

using Event = Timeline::Event;

// Events of all ranks, and the most and the least of one. An event takes 40 bytes here and some 130 in the file.
constexpr std::size_t kEvents = std::size_t{1} << 20U;
constexpr std::size_t kMostEvents = std::size_t{1} << 16U;
constexpr std::size_t kLeastEvents = std::size_t{1} << 11U;

std::size_t room_for(int ranks) {
  return std::clamp(kEvents / static_cast<std::size_t>(ranks), kLeastEvents, kMostEvents);
}

// Rank 0 gets the events of all ranks, one behind the other; `starts` [ranks + 1]: where those of a rank begin.
std::vector<Event> gather_events(const Communicator& comm, std::span<const Event> mine,
                                 std::vector<std::size_t>& starts) {
  const Waiting waiting(comm.pulse());
  const auto ranks = static_cast<std::size_t>(comm.size());
  const int count = static_cast<int>(mine.size());
  std::vector<int> counts(ranks);
  check_mpi(MPI_Gather(&count, 1, MPI_INT, counts.data(), 1, MPI_INT, 0, comm.get()), "MPI_Gather");
  std::vector<int> offsets;
  starts.assign(1, 0);
  for (const int of_rank : counts) {
    offsets.push_back(static_cast<int>(starts.back()));
    starts.push_back(starts.back() + static_cast<std::size_t>(of_rank));
  }
  std::vector<Event> all(starts.back());
  MPI_Datatype type = MPI_DATATYPE_NULL;
  check_mpi(MPI_Type_contiguous(static_cast<int>(sizeof(Event)), MPI_BYTE, &type), "MPI_Type_contiguous");
  check_mpi(MPI_Type_commit(&type), "MPI_Type_commit");
  check_mpi(MPI_Gatherv(mine.data(), count, type, all.data(), counts.data(), offsets.data(), type, 0, comm.get()),
            "MPI_Gatherv");
  check_mpi(MPI_Type_free(&type), "MPI_Type_free");
  return all;
}

}  // namespace

Trace::Trace(const Communicator& comm, std::string path, LogSink log)
    : comm_(comm),
      path_(std::move(path)),
      log_(std::move(log)),
      first_(compare_clocks(comm)),
      timeline_(room_for(comm.size())) {
  comm_.pulse().timeline = &timeline_;
}

Trace::~Trace() {
  comm_.pulse().timeline = nullptr;
}

void Trace::write() {
  comm_.pulse().timeline = nullptr;
  timeline_.finish();
  const ClockReading last = compare_clocks(comm_);
  const auto stride = static_cast<std::uint64_t>(comm_.max(static_cast<double>(timeline_.stride())));
  const bool full = comm_.combine(timeline_.full() ? 1U : 0U) != 0;
  std::vector<Event> mine;
  for (Event event : timeline_.events()) {
    if (!Timeline::keeps(stride, event)) continue;
    event.begin = on_root_clock(event.begin, first_, last);
    event.end = on_root_clock(event.end, first_, last);
    mine.push_back(event);
  }
  const std::vector<std::string> hosts = comm_.gather_texts(host_name());
  std::vector<std::size_t> starts;
  const std::vector<Event> all = gather_events(comm_, mine, starts);
  if (!comm_.is_root()) return;

  const During writing(comm_.pulse(), Phase::writing);
  std::vector<RankEvents> ranks;
  for (std::size_t rank = 0; rank < hosts.size(); ++rank) {
    ranks.push_back(
        {comm_.launch_rank(rank), hosts[rank], std::span(all).subspan(starts[rank], starts[rank + 1] - starts[rank])});
  }
  const auto alive = [this] { comm_.pulse().beat(); };
  try {
    const std::string text = format_trace(ranks, stride, alive);
    const std::array<std::span<const std::byte>, 1> parts{std::as_bytes(std::span(text))};
    write_file_atomically(path_, parts, alive);
  } catch (const Error& error) {
    tell(LogLevel::warning, fmt::format("there is no trace of this start of the run: {}", error.what()));
    return;
  } catch (const std::bad_alloc&) {
    tell(LogLevel::warning, fmt::format("there is no trace of this start of the run: {}: out of memory", path_));
    return;
  }
  if (stride > 1) {
    tell(LogLevel::notice, fmt::format("{} holds {} of every {} steps: a rank keeps {} events", path_, Timeline::kGroup,
                                       stride * Timeline::kGroup, room_for(comm_.size())));
  }
  if (full)
    tell(LogLevel::notice, fmt::format("{} lacks the last events: a rank keeps {}", path_, room_for(comm_.size())));
}

void Trace::tell(LogLevel level, const std::string& text) const {
  if (log_) log_(level, text);
}

}  // namespace lockstep
