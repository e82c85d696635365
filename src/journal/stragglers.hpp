// Who is slow: the times of all ranks, put together now and then.
//
// A message that waits for all ranks would stand in line behind the weights that are still under way between hosts. So
// the times are sent when a row is due and looked at when the next one is.
#pragma once

#include <mpi.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "step/step_times.hpp"

namespace lockstep {

/// Of one phase over the ranks [s a step].
struct PhaseSpread {
  double min = 0;
  double median = 0;
  double max = 0;
};

/// The times of the steps up to `step` since the last row.
struct TimesRow {
  std::uint64_t step = 0;
  std::uint64_t steps = 0;                           ///< how many
  std::array<PhaseSpread, kStepPhases> phases = {};  ///< as in kStepPhaseTable
  std::string slowest_host = {};                     ///< where one is 20 % behind the median of the hosts; else empty
  double behind = 0;                                 ///< its time for a sample over that of the median host, less 1
  std::string warning = {};  ///< where a host has been behind for long enough to be told; else empty
};

/// What one rank has to tell of `steps` steps.
struct RankTimes {
  double steps = 0;
  double samples = 0;      ///< computed here
  StepTimes seconds = {};  ///< in all
};

/// `hosts` [ranks]. A host's time is that of computing, for a sample: hosts may have unlike shards. Of an even number
/// of hosts, the quicker one of the two in the middle is the median.
[[nodiscard]] TimesRow spread_of(std::uint64_t step, std::span<const RankTimes> ranks,
                                 std::span<const std::string> hosts);

/// The warning of a row that names a host.
[[nodiscard]] std::string slow_host_text(const TimesRow& row);

/// Says when a slow host is worth a line: it was behind for seconds, not in one step, and the last line is a minute
/// ago. Time is that of the steps.
class SlowHosts {
 public:
  static constexpr double kStretch = 3;  ///< [s] a host must be behind in two such stretches, one after the other
  static constexpr double kPause = 60;   ///< [s] between two lines at least

  /// Counts the steps up to `step`; returns the warning that is due, or nothing. `ranks`, `hosts` [ranks].
  [[nodiscard]] std::string add(std::uint64_t step, std::span<const RankTimes> ranks,
                                std::span<const std::string> hosts);

 private:
  std::vector<RankTimes> stretch_;  // [ranks] of the one under way
  TimesRow before_;                 // the one before
  std::string told_;                // the host that the last line has named; one line is enough for it
  double seconds_ = 0;              // of steps so far
  double told_at_ = -kPause;
};

class Stragglers {
 public:
  /// Collective. `comm` must outlive it.
  explicit Stragglers(const Communicator& comm);
  Stragglers(const Stragglers&) = delete;
  Stragglers& operator=(const Stragglers&) = delete;
  ~Stragglers();

  /// Counts a step, of which this rank has computed `samples` samples.
  void add(const StepTimes& times, std::size_t samples);
  /// Sends what has been counted since the last call, if anything; returns what was sent then, on rank 0.
  /// Collective. Errors: comm.
  std::optional<TimesRow> next(std::uint64_t step);
  /// Returns what was sent last, on rank 0. Collective. Errors: comm.
  std::optional<TimesRow> finish();

  /// What has been returned so far, added up for each rank, and the ranks' hosts: on rank 0. [ranks]
  [[nodiscard]] std::span<const RankTimes> totals() const noexcept { return totals_; }
  [[nodiscard]] std::span<const std::string> hosts() const noexcept { return hosts_; }

 private:
  // MPI writes to it until the request has ended.
  struct InFlight {
    RankTimes mine;
    std::vector<RankTimes> all;  // [ranks] on rank 0
    std::uint64_t step = 0;
    MPI_Request request = MPI_REQUEST_NULL;
  };

  const Communicator& comm_;
  std::vector<std::string> hosts_;
  std::vector<RankTimes> totals_;  // [ranks] on rank 0
  SlowHosts slow_hosts_;           // on rank 0
  RankTimes counted_;
  std::unique_ptr<InFlight> in_flight_;
};

}  // namespace lockstep
