// What a run would do on more ranks and hosts, from a few measured times: pure arithmetic, no MPI, no clock.
//
// The model is told in src/run/README.md, "Predicting a run". It is for exchange "node": within a host gradients are
// added and weights updated in shared memory; between hosts the partial sums go where their weights are updated
// (reduce-scatter), and the weights go back (all-gather), layer by layer, while the passes run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lockstep {

/// Between hosts.
struct NetworkSpeed {
  double latency = 0;    ///< [s] of a small message
  double bandwidth = 0;  ///< [bytes/s] that all ranks of a host together send while they receive as much
  double load = 0;       ///< share of the ranks' computing that this takes away while it goes on
};

// ---- one step ----

struct LayerTimes {
  double forward = 0;          ///< [s] of one shard
  double weight_gradient = 0;  ///< [s]
  double input_gradient = 0;   ///< [s], after it
  double gradient_bytes = 0;   ///< on the wire
  double weight_bytes = 0;
};

struct StepCosts {
  std::vector<LayerTimes> layers = {};  ///< first to last
  double gather = 0;                    ///< [s] of one shard
  std::size_t shards = 1;               ///< of the rank with the most, one after the other; at least 1
  double add = 0;                       ///< [s] to add one shard's gradient to another's
  double update = 0;                    ///< [s] to add within the host and update
  double wait = 0;                      ///< [s] at barriers
  std::size_t hosts = 1;
  NetworkSpeed network = {};
};

/// Where the time of a step goes [s].
struct StepForecast {
  double compute = 0;  ///< gather, forward, backward, and adding a rank's own shards
  double exposed = 0;  ///< communication between hosts that nothing hides
  double update = 0;
  double wait = 0;
  [[nodiscard]] double total() const noexcept { return compute + exposed + update + wait; }
};

/// One step in a row of equal ones. The link is a queue: the weights of the step before, first layer first; then the
/// gradients, last layer first, each from when it is there.
[[nodiscard]] StepForecast predict_step(const StepCosts& costs);

// ---- a run ----

/// What a layer has of the flops of a pass, and its parameters.
struct LayerShare {
  double forward = 0;          ///< of the forward pass
  double weight_gradient = 0;  ///< of the backward pass
  double input_gradient = 0;   ///< of the backward pass; 0 where nobody needs it
  double parameters = 0;
};

/// What a layer tells of itself: flops of a sample (0: of what nobody needs), and its parameters.
struct LayerCost {
  double forward = 0;
  double by_weights = 0;  ///< of backward, for the gradient of its parameters
  double by_inputs = 0;   ///< of backward, for that of its inputs
  double parameters = 0;
};

/// Of the layers that cost something or have parameters, first to last.
[[nodiscard]] std::vector<LayerShare> layer_shares(std::span<const LayerCost> layers);

/// A step of one shard a rank on the ranks of one host, as measured [s].
struct ShardTimes {
  double rows = 0;  ///< of the shard
  double gather = 0;
  double forward = 0;
  double backward = 0;
  double wait = 0;
  double update = 0;
  double step = 0;  ///< by the clock, from one step to the next: all of the parts, and what is between them
  [[nodiscard]] double pass() const noexcept { return gather + forward + backward; }
};

/// Times at `rows` rows: on the line between the two nearest of `measured`, which ascend by rows. Beyond the last, on
/// the line through the last two, but for the update, which does not go by rows; below the first, the first.
[[nodiscard]] ShardTimes times_at(std::span<const ShardTimes> measured, double rows);

struct ScalingInput {
  std::vector<LayerShare> layers = {};
  std::size_t slots = 0;                    ///< of the optimizer
  std::vector<ShardTimes> alone = {};       ///< one rank, the others idle
  std::vector<ShardTimes> full = {};        ///< all ranks of a host at once
  std::size_t ranks_per_host = 1;           ///< of `full`
  NetworkSpeed network = {};                ///< of more hosts than one
  double wire_bytes = 4;                    ///< of a number of the gradient between hosts
  std::int64_t batch = 1;                   ///< of the run
  std::optional<std::int64_t> shards = {};  ///< unset: as many as ranks
};

struct RunForecast {
  std::size_t ranks = 1;
  std::size_t hosts = 1;
  std::int64_t batch = 1;
  StepForecast step = {};
  double samples_per_second = 0;
  double efficiency = 0;  ///< against as many times one rank
};

/// The run on `ranks` ranks with a batch of `batch`, against one rank with a batch of `batch_of_one`. Unset: the shards
/// do not go round.
[[nodiscard]] std::optional<RunForecast> predict_run(const ScalingInput& input, std::size_t ranks, std::int64_t batch,
                                                     std::int64_t batch_of_one);

/// Where strong scaling ends.
struct ScalingLimit {
  std::size_t ranks = 1;                   ///< the last of 1, 2, 4, ... before it ends
  std::optional<std::size_t> ends;         ///< the first below half efficiency; unset: none up to the most asked for
  bool out_of_shards = false;              ///< it does not get there: the shards do not go round
  std::optional<std::int64_t> batch = {};  ///< about the smallest with which `ends` ranks are still half efficient
};

inline constexpr double kHalfEfficient = 0.5;

/// Looks at 1, 2, 4, ... `most` ranks.
[[nodiscard]] ScalingLimit find_limit(const ScalingInput& input, std::size_t most);

}  // namespace lockstep
