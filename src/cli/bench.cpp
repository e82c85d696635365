// lockstep bench: the trainer's own step beside the floor, its matrix products alone, in turn in one run.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/bench_step.hpp"
#include "cli/output.hpp"
#include "cli/ranks.hpp"
#include "comm/cores.hpp"
#include "compute/compute.hpp"
#include "config/keys.hpp"
#include "core/json_text.hpp"
#include "core/number_text.hpp"
#include "core/vector_math.hpp"
#include "optim/optimizer.hpp"
#include "step/engine.hpp"

namespace lockstep::cli {
namespace {

// What is measured when no shape is given.
struct Shape {
  const char* widths;
  std::int64_t batch;  // a rank
  const char* activation;
};
constexpr std::array<Shape, 5> kTable = {{{"784,512,256,10", 64, "relu"},
                                          {"784,512,256,10", 512, "relu"},
                                          {"1024,2048,2048,1000", 128, "relu"},
                                          {"16,64,64,26", 32, "relu"},
                                          {"784,512,256,10", 64, "tanh"}}};

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

BenchConfig read_config(const CommandInput& input, const Shape& shape, const Communicator& comm) {
  const int ranks = comm.size();
  BenchConfig config;
  config.widths = parse_widths(shape.widths);
  config.batch_per_rank = static_cast<std::size_t>(shape.batch);
  config.shards = static_cast<std::size_t>(positive(input, "shards", ranks));
  config.steps = input.options.count("steps") != 0 ? static_cast<std::size_t>(positive(input, "steps", 1)) : 0;
  config.rounds = static_cast<std::size_t>(positive(input, "rounds", 15));
  RunConfig& run = config.run;
  run.model.loss = {"softmax_cross_entropy"};
  const auto dropout = input.options["dropout"].as<double>();
  for (std::size_t i = 1; i < config.widths.size(); ++i) {
    run.model.layers.push_back({"dense", {{"units", static_cast<std::int64_t>(config.widths[i])}}});
    if (i + 1 == config.widths.size()) break;
    run.model.layers.push_back({shape.activation});
    if (dropout > 0) run.model.layers.push_back({"dropout", {{"rate", dropout}}});
  }
  run.train.batch = shape.batch * ranks;
  run.train.shards = static_cast<std::int64_t>(config.shards);
  run.train.exchange = input.options["exchange"].as<std::string>();
  run.train.wire = input.options["wire"].as<std::string>();
  if (std::ranges::find(kWireNames, run.train.wire) == std::end(kWireNames)) {
    throw Error(ErrorKind::usage, fmt::format("--wire: expected float32 or bfloat16, found \"{}\"", run.train.wire));
  }
  run.train.overlap = input.options.count("no-overlap") == 0;
  run.optimizer.type = input.options["optimizer"].as<std::string>();
  run.optimizer.lr = 1e-3;
  if (run.optimizer.type == "sgd") run.optimizer.options.set("momentum", 0.9);
  run.optimizer.options.set_where("--optimizer");
  run = resolve_run(run, ranks);
  return config;
}

nlohmann::ordered_json json_of(const BenchConfig& config, const Shape& shape, const BenchResult& result, int ranks) {
  const auto batch = static_cast<double>(config.run.train.batch);
  const StepTimes& t = result.times;
  nlohmann::ordered_json json;
  json["ranks"] = ranks;
  json["layers"] = config.widths;
  json["activation"] = shape.activation;
  json["batch_per_rank"] = config.batch_per_rank;
  json["shards"] = config.shards;
  json["optimizer"] = config.run.optimizer.type;
  json["exchange"] = config.run.train.exchange;
  json["wire"] = config.run.train.wire;
  json["blas_kernel"] = make_compute()->kernel();
  json["simd_target"] = simd_target();
  json["samples_per_second"] = batch / result.step_seconds;
  json["floor_samples_per_second"] = batch / result.floor_seconds;
  json["of_floor"] = result.floor_seconds / result.step_seconds;
  json["step_us"] = result.step_seconds * 1e6;
  json["compute_us"] = (t.gather + t.forward + t.backward) * 1e6;
  json["sync_update_us"] = (t.wait + t.communication + t.exchange) * 1e6;
  json["gather_us"] = t.gather * 1e6;
  json["forward_us"] = t.forward * 1e6;
  json["backward_us"] = t.backward * 1e6;
  json["wait_us"] = t.wait * 1e6;
  json["communication_us"] = t.communication * 1e6;
  json["reduce_update_us"] = t.exchange * 1e6;
  return json;
}

void print_header(const BenchConfig& config, int ranks) {
  tell("{}, {}, {}, exchange {}; floor: the step's matrix products alone\n", count_text(ranks, "rank"),
       count_text(config.shards, "shard"), config.run.optimizer.type, config.run.train.exchange);
  tell("{:<26}{:>6}{:>12}{:>12}{:>7}  {:>9} = {:>7} {:>9} {:>9} {:>7} {:>9} {:>9}\n", "", "batch", "samples/s", "floor",
       "of it", "step [us]", "gather", "forward", "backward", "wait", "network", "update");
}

void print_row(const BenchConfig& config, const Shape& shape, const BenchResult& result) {
  const auto batch = static_cast<double>(config.run.train.batch);
  const StepTimes& t = result.times;
  tell("{:<26}{:>6}{:>12.0f}{:>12.0f}{:>7.2f}  {:>9.1f} = {:>7.1f} {:>9.1f} {:>9.1f} {:>7.1f} {:>9.1f} {:>9.1f}\n",
       fmt::format("{} {}", fmt::join(config.widths, "-"), shape.activation), config.batch_per_rank,
       batch / result.step_seconds, batch / result.floor_seconds, result.floor_seconds / result.step_seconds,
       result.step_seconds * 1e6, t.gather * 1e6, t.forward * 1e6, t.backward * 1e6, t.wait * 1e6,
       t.communication * 1e6, t.exchange * 1e6);
  std::fflush(stdout);  // the next row takes seconds
}

}  // namespace

int run_bench(const CommandInput& input) {
  const Communicator& comm = *input.comm;
  const bool json_wanted = input.options.count("json") != 0;
  std::string widths;
  std::string activation;
  std::vector<Shape> shapes;
  std::vector<BenchConfig> configs;
  comm.together([&] {  // all that can be wrong, before the first second is spent
    widths = input.options["layers"].as<std::string>();
    activation = input.options["activation"].as<std::string>();
    const auto is_given = [&](const char* name) { return input.options.count(name) != 0; };
    if (is_given("layers") || is_given("batch") || is_given("activation")) {
      shapes = {{widths.c_str(), positive(input, "batch", 64), activation.c_str()}};
    } else {
      shapes.assign(kTable.begin(), kTable.end());
    }
    for (const Shape& shape : shapes) configs.push_back(read_config(input, shape, comm));
  });
  const std::vector<std::string> warnings = core_warnings(gather_cores(comm), 1);
  if (comm.is_root()) {
    for (const std::string& text : warnings) tell_message("warning: " + text);
    if (!json_wanted) print_header(configs.front(), comm.size());
  }
  nlohmann::ordered_json rows;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const BenchResult result = measure_step(comm, configs[i]);
    if (!comm.is_root()) continue;
    if (json_wanted) {
      rows.push_back(json_of(configs[i], shapes[i], result, comm.size()));
    } else {
      print_row(configs[i], shapes[i], result);
    }
  }
  if (comm.is_root() && json_wanted) {
    // The first shape's numbers, and with several shapes all of them as a table besides.
    nlohmann::ordered_json json = rows.front();
    if (rows.size() > 1) json["table"] = rows;
    tell_lines(json_text(json) + "\n");
  }
  return 0;
}

}  // namespace lockstep::cli
