#include "journal/stragglers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "comm/cores.hpp"

namespace lockstep {
namespace {

constexpr double kBehind = 0.2;
constexpr int kNumbers = sizeof(RankTimes) / sizeof(double);
static_assert(sizeof(RankTimes) == kNumbers * sizeof(double), "it is sent as so many doubles");

// The lower one of two in the middle.
double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void add_to(RankTimes& total, const RankTimes& times) {
  total.steps += times.steps;
  total.samples += times.samples;
  total.seconds += times.seconds;
}

}  // namespace

TimesRow spread_of(std::uint64_t step, std::span<const RankTimes> ranks, std::span<const std::string> hosts) {
  TimesRow row{.step = step, .steps = static_cast<std::uint64_t>(ranks.front().steps)};
  for (std::size_t phase = 0; phase < kStepPhases; ++phase) {
    std::vector<double> seconds;
    for (const RankTimes& rank : ranks) {
      seconds.push_back(rank.seconds.*kStepPhaseTable[phase].seconds / rank.steps);
    }
    row.phases[phase] = {.min = *std::ranges::min_element(seconds),
                         .median = median(seconds),
                         .max = *std::ranges::max_element(seconds)};
  }
  struct Work {
    double seconds = 0;
    double samples = 0;
  };
  std::map<std::string, Work> works;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    Work& work = works[hosts[rank]];
    const StepTimes& times = ranks[rank].seconds;
    work.seconds += times.gather + times.forward + times.backward;
    work.samples += ranks[rank].samples;
  }
  std::vector<double> of_hosts;
  std::pair<double, std::string> slowest;
  for (const auto& [host, work] : works) {
    if (work.samples == 0) continue;
    of_hosts.push_back(work.seconds / work.samples);
    slowest = std::max(slowest, {of_hosts.back(), host});
  }
  if (of_hosts.size() < 2) return row;
  const double behind = slowest.first / median(of_hosts) - 1;
  if (behind >= kBehind) {
    row.slowest_host = slowest.second;
    row.behind = behind;
  }
  return row;
}

std::string slow_host_text(const TimesRow& row) {
  return fmt::format(
      "host {} is {:.0f} % behind the others in computing ({}); all ranks wait for it. times.csv has the times of all "
      "phases",
      row.slowest_host, row.behind * 100,
      row.steps == 1 ? fmt::format("step {}", row.step)
                     : fmt::format("steps {} to {}", row.step - row.steps + 1, row.step));
}

std::string SlowHosts::add(std::uint64_t step, std::span<const RankTimes> ranks, std::span<const std::string> hosts) {
  stretch_.resize(ranks.size());
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) add_to(stretch_[rank], ranks[rank]);
  const double seconds = stretch_.front().seconds.total();
  if (seconds < kStretch) return {};
  seconds_ += seconds;
  TimesRow found = spread_of(step, stretch_, hosts);
  stretch_.clear();
  std::swap(found, before_);  // now the one before is `found`
  const std::string& host = before_.slowest_host;
  if (host.empty() || host != found.slowest_host || host == told_ || seconds_ - told_at_ < kPause) return {};
  told_ = host;
  told_at_ = seconds_;
  TimesRow both = before_;
  both.steps += found.steps;
  return slow_host_text(both);
}

Stragglers::Stragglers(const Communicator& comm)
    : comm_(comm),
      hosts_(comm.gather_texts(host_name())),
      totals_(comm.is_root() ? static_cast<std::size_t>(comm.size()) : 0) {}

Stragglers::~Stragglers() {
  int finalized = 0;
  int done = 0;
  if (!in_flight_ || MPI_Finalized(&finalized) != MPI_SUCCESS || finalized != 0) return;
  if (MPI_Test(&in_flight_->request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS || done == 0) {
    static_cast<void>(in_flight_.release());  // MPI may still write to it
  }
}

void Stragglers::add(const StepTimes& times, std::size_t samples) {
  counted_.steps += 1;
  counted_.samples += static_cast<double>(samples);
  counted_.seconds += times;
}

std::optional<TimesRow> Stragglers::next(std::uint64_t step) {
  std::optional<TimesRow> row = finish();
  if (counted_.steps == 0) return row;
  in_flight_ = std::make_unique<InFlight>();
  in_flight_->mine = std::exchange(counted_, {});
  in_flight_->step = step;
  if (comm_.is_root()) in_flight_->all.resize(static_cast<std::size_t>(comm_.size()));
  check_mpi(MPI_Igather(&in_flight_->mine, kNumbers, MPI_DOUBLE, in_flight_->all.data(), kNumbers, MPI_DOUBLE, 0,
                        comm_.get(), &in_flight_->request),
            "MPI_Igather");
  return row;
}

std::optional<TimesRow> Stragglers::finish() {
  const Waiting waiting(comm_.pulse());
  if (!in_flight_) return {};
  check_mpi(MPI_Wait(&in_flight_->request, MPI_STATUS_IGNORE), "MPI_Wait");
  const std::unique_ptr<InFlight> ended = std::move(in_flight_);
  if (!comm_.is_root()) return {};
  for (std::size_t rank = 0; rank < totals_.size(); ++rank) add_to(totals_[rank], ended->all[rank]);
  TimesRow row = spread_of(ended->step, ended->all, hosts_);
  row.warning = slow_hosts_.add(ended->step, ended->all, hosts_);
  return row;
}

}  // namespace lockstep
