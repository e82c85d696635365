#include "cli/bench_step.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

#include "compute/bare_products.hpp"
#include "core/random.hpp"
#include "feed/dataset_batch.hpp"
#include "step/engine.hpp"
#include "step/step_times.hpp"

namespace lockstep::cli {
namespace {

constexpr double kRoundSeconds = 0.1;   // length of a round when the steps are not given
constexpr double kHostsSeconds = 0.5;   // the same over several hosts, where the last step's weights are waited for
constexpr std::size_t kSamples = 8192;  // at least: samples of the made-up data set

Dataset made_up_data(const BenchConfig& config) {
  const std::size_t samples = std::max(kSamples, static_cast<std::size_t>(config.run.train.batch));
  Dataset data;
  data.source = "made-up data";
  std::vector<float> x(samples * config.widths.front());
  fill_uniform({1, RandomPurpose::bench, 0, 0, 0}, 0.0F, 1.0F, x);
  data.x = make_table(config.widths.front(), std::move(x));
  std::vector<std::uint32_t> words(samples);
  random_fill({1, RandomPurpose::bench, 1, 0, 0}, words);
  std::vector<std::int32_t> labels(samples);
  for (std::size_t i = 0; i < samples; ++i) labels[i] = static_cast<std::int32_t>(words[i] % config.widths.back());
  data.y = make_table(1, std::move(labels));
  return data;
}

struct Round {
  double floor = 0;  // seconds a step
  double step = 0;
  StepTimes times;  // sums over the steps of the round
};

template <class Work>
double seconds_a_call(const Communicator& comm, std::size_t calls, Work work) {
  comm.barrier();
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < calls; ++i) {
    comm.pulse().beat();
    work();
  }
  comm.barrier();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / static_cast<double>(calls);
}

// Steps over the made-up data, epoch after epoch, as training does.
class Stepper {
 public:
  Stepper(Engine& engine, const Dataset& data, const BenchConfig& config)
      : engine_(engine),
        plan_{.samples = data.samples() / static_cast<std::size_t>(config.run.train.batch) *
                         static_cast<std::size_t>(config.run.train.batch),
              .batch = static_cast<std::size_t>(config.run.train.batch)},
        batch_(data, normalization_, plan_, engine.shards(), 1) {
    batch_.start_epoch(0);
  }
  StepTimes step() {
    batch_.select(next_++ % plan_.batches());
    return engine_.train_step(batch_).times;
  }

 private:
  Engine& engine_;
  Normalization normalization_;
  EpochPlan plan_;
  DatasetBatch batch_;
  std::size_t next_ = 0;
};

}  // namespace

BenchResult measure_step(const Communicator& comm, const BenchConfig& config) {
  std::optional<EngineParts> parts;
  Dataset data;
  comm.together([&] {
    parts.emplace(config.run, config.widths.front(), 1);
    data = made_up_data(config);
  });
  const ShardPlan shards{.shards = static_cast<std::size_t>(*config.run.train.shards),
                         .ranks = static_cast<std::size_t>(comm.size())};
  Engine engine(comm, config.run, std::move(*parts), shards.max_rows(static_cast<std::size_t>(config.run.train.batch)));
  const Range owned = engine.shards().owned(static_cast<std::size_t>(comm.rank()));
  std::vector<std::size_t> shard_rows;
  for (std::size_t s = owned.begin; s < owned.end; ++s) {
    shard_rows.push_back(engine.shards().rows(static_cast<std::size_t>(config.run.train.batch), s).size());
  }
  BareProducts floor(engine.model().compute(), engine.model().products(), shard_rows);
  Stepper stepper(engine, data, config);
  const double first = seconds_a_call(comm, 3, [&] {
    floor.run();
    stepper.step();
  });
  const double estimate = comm.max(seconds_a_call(comm, 3, [&] {
    floor.run();
    stepper.step();
  }));
  const auto wanted = static_cast<std::size_t>((comm.nodes() == 1 ? kRoundSeconds : kHostsSeconds) /
                                               std::max(std::min(first, estimate), 1e-7));
  const std::size_t steps =
      config.steps != 0 ? config.steps
                        : static_cast<std::size_t>(comm.max(static_cast<double>(std::max<std::size_t>(wanted, 3))));
  std::vector<Round> rounds(config.rounds);
  for (Round& round : rounds) {
    round.floor = seconds_a_call(comm, steps, [&] { floor.run(); });
    round.step = seconds_a_call(comm, steps, [&] { round.times += stepper.step(); });
  }
  // The phases are those of the round that the step is of: medians of their own would not add up to it.
  const auto middle = rounds.begin() + static_cast<std::ptrdiff_t>(rounds.size() / 2);
  std::ranges::nth_element(rounds, middle, {}, &Round::floor);
  const double floor_seconds = middle->floor;
  std::ranges::nth_element(rounds, middle, {}, &Round::step);
  return {.floor_seconds = floor_seconds,
          .step_seconds = middle->step,
          .times = middle->times / static_cast<double>(steps)};
}

}  // namespace lockstep::cli
