// lockstep bench: the trainer's own step beside the floor, its matrix products alone, in turn in one run.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/command.hpp"
#include "comm/communicator.hpp"
#include "core/blas.hpp"
#include "core/number_text.hpp"
#include "core/random.hpp"
#include "train/dataset_batch.hpp"
#include "train/engine.hpp"

namespace lockstep::cli {
namespace {

constexpr std::size_t kRounds = 7;
constexpr double kRoundSeconds = 0.25;  // length of a round when --steps is not given
constexpr std::size_t kSamples = 8192;  // at least: samples of the made-up data set

struct BenchConfig {
  std::vector<std::size_t> widths;
  std::size_t batch_per_rank = 64;
  std::size_t shards = 1;
  std::size_t steps = 0;  // a round; 0: to be found
  RunConfig run;
};

std::vector<std::size_t> parse_widths(const std::string& text) {
  std::vector<std::size_t> widths;
  for (const char *at = text.data(), *end = at + text.size(); at < end;) {
    std::size_t width = 0;
    const auto [next, error] = std::from_chars(at, end, width);
    if (error != std::errc{} || width == 0 || width > (1U << 24U) || (next != end && *next != ',')) {
      throw Error(ErrorKind::usage, fmt::format("--layers: expected widths like 784,512,256,10, found \"{}\"", text));
    }
    widths.push_back(width);
    at = next + (next != end ? 1 : 0);
  }
  if (widths.size() < 2) throw Error(ErrorKind::usage, "--layers: at least an input and an output width are needed");
  return widths;
}

std::int64_t positive(const CommandInput& input, const char* name, std::int64_t fallback) {
  const std::int64_t value = input.options.count(name) != 0 ? input.options[name].as<std::int64_t>() : fallback;
  if (value < 1) throw Error(ErrorKind::usage, fmt::format("--{}: expected 1 or more, found {}", name, value));
  return value;
}

BenchConfig read_config(const CommandInput& input, int ranks) {
  BenchConfig config;
  config.widths = parse_widths(input.options["layers"].as<std::string>());
  config.batch_per_rank = static_cast<std::size_t>(positive(input, "batch", 64));
  config.shards = static_cast<std::size_t>(positive(input, "shards", ranks));
  config.steps = input.options.count("steps") != 0 ? static_cast<std::size_t>(positive(input, "steps", 1)) : 0;
  RunConfig& run = config.run;
  run.model.loss = {"softmax_cross_entropy"};
  const auto activation = input.options["activation"].as<std::string>();
  const auto dropout = input.options["dropout"].as<double>();
  for (std::size_t i = 1; i < config.widths.size(); ++i) {
    run.model.layers.push_back({"dense", {{"units", static_cast<std::int64_t>(config.widths[i])}}});
    if (i + 1 == config.widths.size()) break;
    run.model.layers.push_back({activation});
    if (dropout > 0) run.model.layers.push_back({"dropout", {{"rate", dropout}}});
  }
  run.train.batch = static_cast<std::int64_t>(config.batch_per_rank) * ranks;
  run.train.shards = static_cast<std::int64_t>(config.shards);
  run.train.exchange = input.options["exchange"].as<std::string>();
  run.optimizer.type = input.options["optimizer"].as<std::string>();
  run.optimizer.lr = 1e-3;
  if (run.optimizer.type == "sgd") run.optimizer.options.set("momentum", 0.9);
  run.optimizer.options.set_where("--optimizer");
  return config;
}

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

// The step's matrix products with nothing between them: forward, weight gradient, and input gradient but for the first
// layer, for every shard of this rank.
class Floor {
 public:
  Floor(std::span<const std::size_t> widths, std::vector<std::size_t> shard_rows)
      : widths_(widths.begin(), widths.end()), shard_rows_(std::move(shard_rows)) {
    const std::size_t rows = *std::max_element(shard_rows_.begin(), shard_rows_.end());
    for (const std::size_t width : widths_) {
      activations_.push_back(filled(rows * width, 0.5F));
      gradients_.push_back(filled(rows * width, 0.5F));
    }
    for (std::size_t i = 0; i + 1 < widths_.size(); ++i) {
      weights_.push_back(filled(widths_[i] * widths_[i + 1], 0.01F));
      weight_gradients_.push_back(filled(widths_[i] * widths_[i + 1], 0.0F));
    }
  }

  void step() {
    for (const std::size_t rows : shard_rows_) {
      for (std::size_t i = 0; i < weights_.size(); ++i) {
        gemm({rows, widths_[i + 1], widths_[i]}, Transpose::no, part(activations_[i], rows * widths_[i]),
             Transpose::yes, weights_[i].view(), 0.0F, part(activations_[i + 1], rows * widths_[i + 1]));
      }
      for (std::size_t i = weights_.size(); i-- > 0;) {
        const auto dy = part(gradients_[i + 1], rows * widths_[i + 1]);
        gemm({widths_[i + 1], widths_[i], rows}, Transpose::yes, dy, Transpose::no,
             part(activations_[i], rows * widths_[i]), 0.0F, weight_gradients_[i].view());
        if (i == 0) break;
        gemm({rows, widths_[i], widths_[i + 1]}, Transpose::no, dy, Transpose::no, weights_[i].view(), 0.0F,
             part(gradients_[i], rows * widths_[i]));
      }
    }
  }

 private:
  static Buffer<float> filled(std::size_t size, float value) {
    Buffer<float> buffer(size);
    std::ranges::fill(buffer.view(), value);
    return buffer;
  }
  static std::span<float> part(Buffer<float>& buffer, std::size_t size) { return buffer.view().first(size); }

  std::vector<std::size_t> widths_;
  std::vector<std::size_t> shard_rows_;
  std::vector<Buffer<float>> activations_;
  std::vector<Buffer<float>> gradients_;
  std::vector<Buffer<float>> weights_;
  std::vector<Buffer<float>> weight_gradients_;
};

struct Round {
  double floor = 0;  // seconds a step
  double step = 0;
  StepTimes times;  // sums over the steps of the round
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

template <class Work>
double seconds_a_call(const Communicator& comm, std::size_t calls, Work work) {
  comm.barrier();
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < calls; ++i) work();
  comm.barrier();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / static_cast<double>(calls);
}

// Steps over the made-up data, epoch after epoch, as training does.
class Stepper {
 public:
  Stepper(Engine& engine, const Dataset& data, const BenchConfig& config)
      : engine_(engine),
        plan_{data.samples() / static_cast<std::size_t>(config.run.train.batch) *
                  static_cast<std::size_t>(config.run.train.batch),
              static_cast<std::size_t>(config.run.train.batch)},
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

struct BenchResult {
  double floor_seconds = 0;
  double step_seconds = 0;
  StepTimes times;  // a step, rank 0
};

BenchResult measure(const Communicator& comm, Engine& engine, const Dataset& data, const BenchConfig& config) {
  const Range owned = engine.shards().owned(static_cast<std::size_t>(comm.rank()));
  std::vector<std::size_t> shard_rows;
  for (std::size_t s = owned.begin; s < owned.end; ++s) {
    shard_rows.push_back(engine.shards().rows(static_cast<std::size_t>(config.run.train.batch), s).size());
  }
  Floor floor(config.widths, shard_rows);
  Stepper stepper(engine, data, config);
  const double first = seconds_a_call(comm, 3, [&] {
    floor.step();
    stepper.step();
  });
  const double estimate = comm.max(seconds_a_call(comm, 3, [&] {
    floor.step();
    stepper.step();
  }));
  const auto wanted = static_cast<std::size_t>(kRoundSeconds / std::max(std::min(first, estimate), 1e-7));
  const std::size_t steps =
      config.steps != 0 ? config.steps
                        : static_cast<std::size_t>(comm.max(static_cast<double>(std::max<std::size_t>(wanted, 3))));
  std::vector<Round> rounds(kRounds);
  for (Round& round : rounds) {
    round.floor = seconds_a_call(comm, steps, [&] { floor.step(); });
    round.step = seconds_a_call(comm, steps, [&] {
      const StepTimes times = stepper.step();
      round.times.gather += times.gather;
      round.times.forward += times.forward;
      round.times.backward += times.backward;
      round.times.wait += times.wait;
      round.times.exchange += times.exchange;
    });
  }
  const auto over_rounds = [&](auto value) {
    std::vector<double> values;
    for (const Round& round : rounds) values.push_back(value(round));
    return median(values);
  };
  const auto count = static_cast<double>(steps);
  return {over_rounds([](const Round& r) { return r.floor; }),
          over_rounds([](const Round& r) { return r.step; }),
          {over_rounds([&](const Round& r) { return r.times.gather / count; }),
           over_rounds([&](const Round& r) { return r.times.forward / count; }),
           over_rounds([&](const Round& r) { return r.times.backward / count; }),
           over_rounds([&](const Round& r) { return r.times.wait / count; }),
           over_rounds([&](const Round& r) { return r.times.exchange / count; })}};
}

void print_result(const BenchConfig& config, const BenchResult& result, int ranks, bool json_wanted) {
  const auto batch = static_cast<double>(config.run.train.batch);
  const double of_floor = result.floor_seconds / result.step_seconds;
  const StepTimes& t = result.times;
  const double compute = t.gather + t.forward + t.backward;
  if (json_wanted) {
    nlohmann::ordered_json json;
    json["ranks"] = ranks;
    json["layers"] = config.widths;
    json["batch_per_rank"] = config.batch_per_rank;
    json["shards"] = config.shards;
    json["optimizer"] = config.run.optimizer.type;
    json["exchange"] = config.run.train.exchange;
    json["samples_per_second"] = batch / result.step_seconds;
    json["floor_samples_per_second"] = batch / result.floor_seconds;
    json["of_floor"] = of_floor;
    json["step_us"] = result.step_seconds * 1e6;
    json["compute_us"] = compute * 1e6;
    json["sync_update_us"] = (t.wait + t.exchange) * 1e6;
    json["gather_us"] = t.gather * 1e6;
    json["forward_us"] = t.forward * 1e6;
    json["backward_us"] = t.backward * 1e6;
    json["wait_us"] = t.wait * 1e6;
    json["reduce_update_us"] = t.exchange * 1e6;
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print("{} on {}, {} a rank, {}, {}, exchange {}\n", fmt::join(config.widths, "-"), count_text(ranks, "rank"),
             count_text(config.batch_per_rank, "sample"), count_text(config.shards, "shard"), config.run.optimizer.type,
             config.run.train.exchange);
  fmt::print("  training  {:>12.0f} samples/s  {:>10.1f} us a step\n", batch / result.step_seconds,
             result.step_seconds * 1e6);
  fmt::print("  floor     {:>12.0f} samples/s  {:>10.1f} us a step (the matrix products alone)\n",
             batch / result.floor_seconds, result.floor_seconds * 1e6);
  fmt::print("  of floor  {:>12.2f}\n", of_floor);
  fmt::print(
      "  a step: gather {:.1f}, forward and loss {:.1f}, backward {:.1f}, wait {:.1f}, reduce and update {:.1f} us\n",
      t.gather * 1e6, t.forward * 1e6, t.backward * 1e6, t.wait * 1e6, t.exchange * 1e6);
}

int run_bench(const CommandInput& input) {
  const Communicator& comm = *input.comm;
  BenchConfig config;
  std::optional<EngineParts> parts;
  Dataset data;
  comm.together([&] {
    config = read_config(input, comm.size());
    config.run = resolve_run(config.run, comm.size());
    (void)choose_exchange(config.run, comm.nodes());  // the result names the exchange
    parts.emplace(config.run, config.widths.front(), 1);
    data = made_up_data(config);
  });
  Engine engine(comm, config.run, std::move(*parts));
  engine.reserve_rows(engine.shards().max_rows(static_cast<std::size_t>(config.run.train.batch)));
  const BenchResult result = measure(comm, engine, data, config);
  if (comm.is_root()) print_result(config, result, comm.size(), input.options.count("json") != 0);
  return 0;
}

}  // namespace

Command bench_command() {
  return {"bench",
          "",
          "Times the training step beside the floor: the step's matrix products alone, same ranks, same run.",
          "mpirun -n 2 lockstep bench --layers 784,512,256,10 --batch 64 --json",
          true,
          {{"layers", OptionKind::text, "WIDTHS", "784,512,256,10", "input, hidden and output widths"},
           {"activation", OptionKind::text, "NAME", "relu", "behind each hidden layer"},
           {"dropout", OptionKind::number, "RATE", "0", "behind each activation"},
           {"batch", OptionKind::integer, "N", "64", "samples a rank"},
           {"shards", OptionKind::integer, "S", "", "shards in all (default: the ranks)"},
           {"optimizer", OptionKind::text, "NAME", "sgd", "sgd runs with momentum 0.9"},
           {"exchange", OptionKind::text, "NAME", "node", "node, tree or allreduce"},
           {"steps", OptionKind::integer, "N", "", "steps a round (default: a quarter of a second of them)"},
           {"json", OptionKind::flag, "", "", "the result as JSON"}},
          run_bench};
}

}  // namespace lockstep::cli
