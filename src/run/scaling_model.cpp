#include "run/scaling_model.hpp"

#include <algorithm>
#include <bit>

namespace lockstep {
namespace {

constexpr double kFloat = sizeof(float);

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// Bytes that a rank touches for each element of its slice, to add `ranks` partial sums of its host and, where the slice
// is cut up among hosts, those of the hosts; and to update: weight and slots are read and written.
double bytes_an_element(double ranks, double hosts, double slots) {
  const double update = 2 * kFloat * (1 + slots);
  if (hosts == 1) return kFloat * ranks + update;
  return kFloat * (ranks + 1) + (kFloat * hosts + update) / hosts;
}

ShardTimes mix(const ShardTimes& a, const ShardTimes& b, double share_of_b, double rows) {
  const auto between = [&](double x, double y) { return std::max(x + (y - x) * share_of_b, 0.0); };
  return {.rows = rows,
          .gather = between(a.gather, b.gather),
          .forward = between(a.forward, b.forward),
          .backward = between(a.backward, b.backward),
          .wait = between(a.wait, b.wait),
          .update = between(a.update, b.update),
          .step = between(a.step, b.step)};
}

// Seconds of a step on `ranks` ranks, spread over as few hosts as hold them. Unset: more ranks than shards.
std::optional<RunForecast> predict(const ScalingInput& input, std::size_t ranks, std::int64_t batch) {
  const std::int64_t shards = input.shards.value_or(static_cast<std::int64_t>(ranks));
  if (static_cast<std::int64_t>(ranks) > shards) return {};
  const std::size_t hosts = (ranks + input.ranks_per_host - 1) / input.ranks_per_host;
  const std::size_t local = (ranks + hosts - 1) / hosts;  // of the fullest host
  const auto rows = static_cast<double>(divide_up(batch, shards));
  // How far from one rank alone to a host full of them.
  const double full = ranks == 1 ? 0
                      : input.ranks_per_host == 1
                          ? 1
                          : static_cast<double>(local - 1) / static_cast<double>(input.ranks_per_host - 1);
  const auto at = [&](double count) {
    return mix(times_at(input.alone, count), times_at(input.full, count), full, count);
  };
  const ShardTimes times = at(rows);
  const double measured = bytes_an_element(static_cast<double>(local), 1, static_cast<double>(input.slots));

  StepCosts costs;
  for (const LayerShare& share : input.layers) {
    costs.layers.push_back({.forward = times.forward * share.forward,
                            .weight_gradient = times.backward * share.weight_gradient,
                            .input_gradient = times.backward * share.input_gradient,
                            .gradient_bytes = share.parameters * input.wire_bytes,
                            .weight_bytes = share.parameters * kFloat});
  }
  costs.gather = times.gather;
  costs.shards = static_cast<std::size_t>(divide_up(shards, static_cast<std::int64_t>(ranks)));
  // Two arrays are read and one is written, each as long as the slices of all ranks of the host.
  costs.add = times.update * 3 * kFloat * static_cast<double>(local) / measured;
  costs.update =
      times.update *
      bytes_an_element(static_cast<double>(local), static_cast<double>(hosts), static_cast<double>(input.slots)) /
      measured;
  // Ranks that do more between two barriers come to them further apart.
  costs.wait = at(rows * static_cast<double>(costs.shards)).wait;
  costs.hosts = hosts;
  costs.network = input.network;

  RunForecast forecast{.ranks = ranks, .hosts = hosts, .batch = batch, .step = predict_step(costs)};
  forecast.samples_per_second = static_cast<double>(batch) / forecast.step.total();
  return forecast;
}

}  // namespace

StepForecast predict_step(const StepCosts& costs) {
  const auto hosts = static_cast<double>(costs.hosts);
  // Seconds of the link for a byte of the gradient or of the weights.
  const double share = costs.hosts > 1 ? (hosts - 1) / hosts / costs.network.bandwidth : 0;
  double pass = costs.gather;
  double link = 0;  // when it is free
  for (const LayerTimes& layer : costs.layers) {
    pass += layer.forward + layer.weight_gradient + layer.input_gradient;
    link += layer.weight_bytes * share;
  }
  double now = 0;
  const auto compute = [&](double seconds) {  // slower while the link is busy
    const double speed = 1 - costs.network.load;
    const double beside = std::clamp((link - now) * speed, 0.0, seconds);
    now += beside / speed + (seconds - beside);
  };
  compute(costs.gather);
  double arrived = 0;
  for (const LayerTimes& layer : costs.layers) {
    arrived += layer.weight_bytes * share;
    now = std::max(now, arrived);
    compute(layer.forward);
  }
  // All shards but one; the order of passes that hide nothing does not matter.
  const double others = static_cast<double>(costs.shards - 1) * (pass + costs.add);
  compute(others);
  for (auto layer = costs.layers.rbegin(); layer != costs.layers.rend(); ++layer) {
    compute(layer->weight_gradient);
    if (costs.hosts > 1) link = std::max(link, now) + layer->gradient_bytes * share;
    compute(layer->input_gradient);
  }
  StepForecast forecast{.compute = pass + others, .exposed = 0, .update = costs.update, .wait = costs.wait};
  if (costs.hosts > 1) {
    constexpr double kMessages = 3;  // the losses, the norm and the notes of a step, each passed on from host to host
    const auto hops = static_cast<double>(std::bit_width(costs.hosts - 1));
    forecast.exposed = std::max(now, link) - forecast.compute + kMessages * hops * costs.network.latency;
  }
  return forecast;
}

std::vector<LayerShare> layer_shares(std::span<const LayerCost> layers) {
  double forward = 0;
  double backward = 0;
  for (const LayerCost& layer : layers) {
    forward += layer.forward;
    backward += layer.by_weights + layer.by_inputs;
  }
  const auto share = [](double part, double whole) { return whole > 0 ? part / whole : 0; };
  std::vector<LayerShare> shares;
  for (const LayerCost& layer : layers) {
    if (layer.parameters == 0 && layer.forward == 0) continue;
    shares.push_back({.forward = share(layer.forward, forward),
                      .weight_gradient = share(layer.by_weights, backward),
                      .input_gradient = share(layer.by_inputs, backward),
                      .parameters = layer.parameters});
  }
  return shares;
}

ShardTimes times_at(std::span<const ShardTimes> measured, double rows) {
  if (measured.empty()) return {.rows = rows};
  if (rows <= measured.front().rows) return measured.front();
  if (measured.size() == 1) return mix({}, measured.front(), rows / measured.front().rows, rows);
  const auto next = std::find_if(measured.begin() + 1, measured.end() - 1,
                                 [&](const ShardTimes& times) { return times.rows >= rows; });
  const ShardTimes& a = *(next - 1);
  ShardTimes times = mix(a, *next, (rows - a.rows) / (next->rows - a.rows), rows);
  if (rows > measured.back().rows) times.update = measured.back().update;
  return times;
}

std::optional<RunForecast> predict_run(const ScalingInput& input, std::size_t ranks, std::int64_t batch,
                                       std::int64_t batch_of_one) {
  const std::optional<RunForecast> one = predict(input, 1, batch_of_one);
  std::optional<RunForecast> many = predict(input, ranks, batch);
  if (!one || !many) return {};
  many->efficiency = many->samples_per_second / (static_cast<double>(ranks) * one->samples_per_second);
  return many;
}

ScalingLimit find_limit(const ScalingInput& input, std::size_t most) {
  ScalingLimit limit;
  for (std::size_t ranks = 2; ranks <= most; ranks *= 2) {
    const auto efficiency = [&](std::int64_t batch) {
      const auto forecast = predict_run(input, ranks, batch, batch);
      return forecast ? forecast->efficiency : 0;
    };
    if (!predict_run(input, ranks, input.batch, input.batch)) {
      limit.ends = ranks;
      limit.out_of_shards = true;
      return limit;
    }
    if (efficiency(input.batch) >= kHalfEfficient) {
      limit.ranks = ranks;
      continue;
    }
    limit.ends = ranks;
    constexpr std::int64_t kMostTimes = std::int64_t{1} << 20U;
    std::int64_t low = input.batch;
    std::int64_t high = low * 2;
    while (efficiency(high) < kHalfEfficient) {
      if (high / input.batch >= kMostTimes) return limit;
      low = high;
      high *= 2;
    }
    while (high - low > std::max<std::int64_t>(high / 50, 1)) {
      const std::int64_t middle = low + (high - low) / 2;
      (efficiency(middle) >= kHalfEfficient ? high : low) = middle;
    }
    const auto unit = input.shards.value_or(static_cast<std::int64_t>(ranks));
    const std::int64_t even = divide_up(high, unit) * unit;  // shards of equal rows
    limit.batch = efficiency(even) >= kHalfEfficient ? even : high;
    return limit;
  }
  return limit;
}

}  // namespace lockstep
