// Measuring the training step beside its floor; see bench.cpp for the command.
#pragma once

#include <cstddef>
#include <vector>

#include "comm/communicator.hpp"
#include "lockstep/run_config.hpp"
#include "lockstep/step_result.hpp"

namespace lockstep::cli {

/// A net, its batch and how to train it.
struct BenchConfig {
  std::vector<std::size_t> widths;  ///< input, hidden, output
  std::size_t batch_per_rank = 64;
  std::size_t shards = 1;
  std::size_t steps = 0;   ///< a round; 0: to be found
  std::size_t rounds = 1;  ///< at least 1
  RunConfig run;           ///< resolved
};

struct BenchResult {
  double floor_seconds = 0;  ///< a step
  double step_seconds = 0;
  StepTimes times;  ///< of a step, on rank 0
};

/// Times Trainer's own step over made-up data (gather, loss and update included) and the floor: the step's matrix
/// products alone, forward, weight gradient, and input gradient but for the first layer, same ranks and shapes. The two
/// take turns, and the results are medians over the rounds.
/// Collective. Errors: config, comm.
[[nodiscard]] BenchResult measure_step(const Communicator& comm, const BenchConfig& config);

}  // namespace lockstep::cli
