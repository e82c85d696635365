// lockstep doctor: how fast the ranks compute, and what a step costs within a host and over all.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>

#include "cli/doctor/doctor.hpp"
#include "compute/bare_products.hpp"
#include "core/median.hpp"
#include "core/random.hpp"
#include "feed/dataset_batch.hpp"
#include "step/engine.hpp"
#include "step/step_times.hpp"

namespace lockstep::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kRounds = 7;
constexpr double kRoundSeconds = 0.025;
constexpr double kMostSeconds = 1.0;  // of the rounds of one measurement, but for the least steps

// How many calls make a round, and how many rounds there are, from the seconds of a call.
struct Effort {
  std::size_t rounds = kRounds;
  std::size_t calls = 1;
  explicit Effort(double seconds)
      : rounds(static_cast<std::size_t>(std::clamp(kMostSeconds / std::max(seconds, 1e-9), 3.0, double{kRounds}))),
        calls(static_cast<std::size_t>(std::clamp(kRoundSeconds / std::max(seconds, 1e-7), 1.0, 1e4))) {}
};

// Who measures at once, making as many calls each, and where this rank tells that it is alive: a rank that measures
// alone does so on a communicator of its own, but is watched with the others.
struct Meter {
  const Communicator& comm;
  Pulse& pulse;
};

// [flop/s]
double flop_rate(BareProducts& products, Meter meter) {
  const auto call = [&](std::size_t count) {
    const auto start = Clock::now();
    for (std::size_t i = 0; i < count; ++i) {
      products.run();
      meter.pulse.beat();
    }
    return seconds_since(start) / static_cast<double>(count);
  };
  call(1);
  const Effort effort(meter.comm.max(call(2)));
  std::vector<double> seconds;
  for (std::size_t round = 0; round < effort.rounds; ++round) {
    meter.comm.barrier();
    seconds.push_back(call(effort.calls));
  }
  return products.flops() / median(seconds);
}

// Batches of equal shards over a data set, again and again.
class SampleBatch final : public Batch {
 public:
  SampleBatch(const TestNet& net, std::size_t shards, std::size_t samples)
      : net_(net),
        plan_{.shards = shards, .ranks = 1},
        samples_(samples),
        order_(net.data.samples()),
        chosen_(plan_.max_rows(samples)) {
    fill_permutation({1, RandomPurpose::bench, 0, 0, 0}, order_);
  }
  [[nodiscard]] std::size_t samples() const override { return samples_; }
  [[nodiscard]] SampleExtras extras() const override { return net_.data.extras(); }
  [[nodiscard]] std::size_t rows(std::size_t shard) const override { return plan_.rows(samples_, shard).size(); }
  void gather(std::size_t shard, const BatchRows& rows) override {
    const std::size_t count = this->rows(shard);
    const auto chosen = std::span(chosen_).first(count);
    for (std::uint32_t& index : chosen) {
      index = order_[next_];
      next_ = next_ + 1 < order_.size() ? next_ + 1 : 0;
    }
    std::ranges::copy(chosen, rows.samples.begin());
    gather_samples(net_.data, net_.normalization, chosen, rows);
  }

 private:
  const TestNet& net_;
  ShardPlan plan_;
  std::size_t samples_;
  std::vector<std::uint32_t> order_;
  std::vector<std::uint32_t> chosen_;
  std::size_t next_ = 0;
};

// Steps of `engine` as training makes them: those of the median round. By the clock a step takes more than its parts
// where ranks still exchange behind it.
ShardTimes time_steps(Engine& engine, Batch& batch, Meter meter) {
  const auto step = [&] {
    meter.pulse.beat();
    return engine.train_step(batch).times;
  };
  step();
  const auto start = Clock::now();
  step();
  const Effort effort(meter.comm.max(seconds_since(start)));
  struct Round {
    double seconds = 0;  // of a step, by the clock
    StepTimes times;     // of a step
  };
  std::vector<Round> rounds(effort.rounds);
  // No pause between the rounds, or what ranks still send behind a step would be done in it.
  meter.comm.barrier();
  auto begin = Clock::now();
  for (Round& round : rounds) {
    StepTimes sums;
    for (std::size_t i = 0; i < effort.calls; ++i) sums += step();
    const auto count = static_cast<double>(effort.calls);
    round.seconds = seconds_since(begin) / count;
    round.times = sums / count;
    begin = Clock::now();
  }
  // The parts are those of one round: medians of their own would not add up to its step.
  const auto middle = rounds.begin() + static_cast<std::ptrdiff_t>(rounds.size() / 2);
  std::ranges::nth_element(rounds, middle, {}, &Round::seconds);
  const StepTimes& times = middle->times;
  return {.gather = times.gather,
          .forward = times.forward,
          .backward = times.backward,
          .wait = times.wait,
          .update = times.exchange + times.communication,
          .step = middle->seconds};
}

// Steps of one shard a rank in an exchange of its own on `comm`, at each of `rows`; stops at rows that take too long.
std::vector<ShardTimes> time_shards(const Communicator& comm, Meter meter, const TestNet& net,
                                    std::span<const std::size_t> rows) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  RunConfig run = still_run(net, ranks);
  run.train.exchange = "node";
  std::optional<Engine> engine;
  std::optional<Error> failure;  // of this host's ranks; the other hosts know nothing of it
  try {
    engine.emplace(comm, run, EngineParts(run, net.inputs, 1));
  } catch (const Error& error) {
    failure = error;
  }
  meter.comm.together([&] {
    if (failure) throw *failure;
  });
  std::vector<ShardTimes> measured;
  for (const std::size_t count : rows) {
    SampleBatch batch(net, ranks, count * ranks);
    measured.push_back(time_steps(*engine, batch, meter));
    measured.back().rows = static_cast<double>(count);
    if (meter.comm.max(measured.back().step) > kMostSeconds / 3) break;  // the rest lies on the line
  }
  return measured;
}

// The rows of a shard that the predictions ask for: 1, 4, 16, ..., those of this job and of one rank exactly; not more
// than memory for the activations allows.
std::vector<std::size_t> row_counts(const TestNet& net, std::size_t ranks) {
  const auto batch = static_cast<std::size_t>(net.run.train.batch);
  const auto rows_of = [&](std::size_t shards) { return (batch + shards - 1) / shards; };
  const std::size_t here = rows_of(static_cast<std::size_t>(*net.run.train.shards));
  const std::size_t one = net.shards ? std::max(here, rows_of(ranks)) : batch;
  constexpr double kMostBytes = 2.5e8;
  const auto most = static_cast<std::size_t>(std::max(kMostBytes / net.row_bytes, 1.0));
  std::vector<std::size_t> rows{std::clamp<std::size_t>(here, 1, most), std::clamp<std::size_t>(one, 1, most)};
  const std::size_t largest = std::max(rows[0], rows[1]);
  for (std::size_t count = 1; count < largest; count *= 4) rows.push_back(count);
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

// The times of the slowest among the fullest hosts, on every rank.
std::vector<ShardTimes> slowest_host(const Communicator& comm, const Job& job, std::vector<ShardTimes> own,
                                     std::vector<double>& host_steps) {
  for (ShardTimes& times : own) {
    std::vector<std::vector<double>> all;  // [parts][ranks]
    for (const double part : {times.gather, times.forward, times.backward, times.wait, times.update, times.step}) {
      all.push_back(gather_numbers(comm, part));
    }
    double slowest = -1;
    host_steps.clear();
    for (std::size_t host = 0; host < job.hosts.size(); ++host) {
      const std::size_t leader = job.leader(host);
      const ShardTimes there{.rows = times.rows,
                             .gather = all[0][leader],
                             .forward = all[1][leader],
                             .backward = all[2][leader],
                             .wait = all[3][leader],
                             .update = all[4][leader],
                             .step = all[5][leader]};
      host_steps.push_back(there.step);
      if (job.hosts[host].ranks.size() != job.fullest() || host_steps.back() <= slowest) continue;
      slowest = host_steps.back();
      times = there;
    }
  }
  return own;
}

void name_slow(const Job& job, const Speed& speed, Findings& findings) {
  std::vector<double> medians;  // [hosts]
  for (const Host& host : job.hosts) {
    std::vector<double> rates;
    for (const std::size_t rank : host.ranks) rates.push_back(speed.gemm[rank]);
    medians.push_back(median(rates));
  }
  std::vector<bool> slow(medians.size());
  for (const std::size_t host : far_below_median(medians, kSlowShare)) {
    slow[host] = true;
    findings.warnings.push_back(
        fmt::format("host {} computes slowly: {:.1f} GFLOP/s a rank, the median of the hosts is {:.1f}",
                    job.hosts[host].name, medians[host] / 1e9, median(medians) / 1e9));
  }
  for (const std::size_t rank : far_below_median(speed.gemm, kSlowShare)) {
    if (slow[job.host_of[rank]]) continue;
    findings.warnings.push_back(fmt::format("{} computes slowly: {:.1f} GFLOP/s, the median of the ranks is {:.1f}",
                                            job.rank_name(rank), speed.gemm[rank] / 1e9, median(speed.gemm) / 1e9));
  }
}

}  // namespace

Speed measure_speed(const Communicator& comm, const Job& job, const TestNet& net, Findings& findings) {
  Speed speed;
  const auto batch = static_cast<std::size_t>(net.run.train.batch);
  const auto shards = static_cast<std::size_t>(*net.run.train.shards);
  // 1. Matrix products: all ranks at once, then rank 0 alone.
  const std::vector<std::size_t> rows = row_counts(net, static_cast<std::size_t>(comm.size()));
  speed.gemm_rows = std::min((batch + shards - 1) / shards, rows.back());
  const Meter all{comm, comm.pulse()};
  const Communicator self(MPI_COMM_SELF);
  const Meter one{self, comm.pulse()};
  {
    std::optional<EngineParts> parts;
    std::optional<BareProducts> products;
    comm.together([&] {
      parts.emplace(still_run(net, shards), net.inputs, 1);
      products.emplace(parts->model.compute(), parts->model.products(), std::vector{speed.gemm_rows});
    });
    speed.gemm = gather_numbers(comm, flop_rate(*products, all));
    double alone = 0;
    if (comm.is_root()) alone = flop_rate(*products, one);
    wait_quietly(comm);
    speed.gemm_alone = comm.max(alone);
  }
  // 2. Steps within a host: all ranks of all hosts at once, then rank 0 alone.
  {
    Communicator node(comm.node());
    node.attach(comm.pulse());
    speed.full = slowest_host(comm, job, time_shards(node, all, net, rows), speed.host_steps);
  }
  std::optional<Error> failure;  // of rank 0, while the others wait
  try {
    if (comm.is_root()) speed.alone = time_shards(self, one, net, rows);
  } catch (const Error& error) {
    failure = error;
  }
  wait_quietly(comm);
  comm.together([&] {
    if (failure) throw *failure;
  });
  // 3. The run's own step.
  {
    const RunConfig run = still_run(net, shards);
    std::optional<EngineParts> parts;
    comm.together([&] { parts.emplace(run, net.inputs, 1); });
    Engine engine(comm, run, std::move(*parts));
    SampleBatch samples(net, shards, batch);
    const ShardTimes times = time_steps(engine, samples, all);
    speed.step_seconds = comm.max(times.step);
    speed.exchange = engine.exchange().name();
    speed.exchange_seconds = speed.step_seconds - times.pass();
  }
  name_slow(job, speed, findings);
  return speed;
}

}  // namespace lockstep::cli
