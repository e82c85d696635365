// An engine before it takes memory: what a run names, which rank has which shards, and how much memory all of it needs.
//
// Whatever has the size of the net or of a batch is a number here, so that a dry run can tell of any net on any
// machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/exchange.hpp"
#include "data/shard_plan.hpp"
#include "lockstep/run_config.hpp"
#include "model/loss.hpp"
#include "model/model.hpp"
#include "optim/optimizer.hpp"
#include "optim/schedule.hpp"

namespace lockstep {

/// What a run names: its net, loss, optimizer and schedule. Made locally, so that what is wrong with a run is known
/// before the ranks do anything together.
struct EngineParts {
  /// `run` must be resolved. Errors: config.
  EngineParts(const RunConfig& run, std::size_t inputs, std::uint64_t total_steps);

  Model model;
  std::unique_ptr<Loss> loss;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<Schedule> schedule;
  std::vector<bool> decays;  ///< [parameters] whether weight decay applies
};

/// Fills what a run leaves open: shards (from the ranks), learning rate (from the optimizer's type).
/// Errors: config (more ranks than shards; unknown optimizer).
[[nodiscard]] RunConfig resolve_run(const RunConfig& run, int ranks);

/// The blocks of the parameters that are trained. Frozen ones have none: nobody adds up their gradients, measures or
/// updates them.
[[nodiscard]] std::vector<Block> trained_blocks(const Model& model);
/// How many these are.
[[nodiscard]] std::size_t num_trained_blocks(const Model& model);

/// Bytes of the arrays in a checkpoint with `slots` arrays beside the weights.
[[nodiscard]] std::size_t checkpoint_bytes(const Model& model, std::size_t slots) noexcept;

struct EnginePlan {
  static constexpr std::size_t kShardSums =
      3;  ///< of each shard: the loss of its rows, what they weigh by size, and in sum

  /// `run` must be resolved (shards and learning rate set). `rows` of the largest shard; 0: not known yet.
  /// `communicator` must outlive the plan.
  /// Collective. Errors: config, agreed (an exchange that cannot be); comm.
  EnginePlan(const Communicator& communicator, const RunConfig& run, EngineParts parts, std::size_t rows);

  const Communicator& comm;
  RunConfig run;
  EngineParts parts;
  std::size_t rows;
  ShardPlan shards;
  ExchangeLayout layout;  ///< but for the blocks
  ExchangePlan exchange;
  std::size_t besides = 0;         ///< bytes that this rank will need for other things
  bool makes_checkpoints = false;  ///< which take memory on rank 0 for a time

  /// Arrays beside the weights: the optimizer's, and the average.
  [[nodiscard]] std::size_t num_slots() const noexcept { return layout.slots; }
  /// Bytes of this rank: activations, and its arenas or its share of those that the ranks of a host have together.
  [[nodiscard]] std::size_t bytes() const { return exchange.bytes() + activation_bytes(); }
  /// A net of several stages holds those of all owned shards.
  [[nodiscard]] std::size_t activation_bytes() const {
    const std::size_t rooms = parts.model.num_stages() == 1 ? 1 : layout.owned_shards.size();
    return rooms * parts.model.workspace_bytes(rows, true);
  }
  /// Bytes that rank 0 needs while a checkpoint is written: of its arrays, and of what is gathered from other hosts.
  [[nodiscard]] std::size_t saving_bytes() const noexcept {
    return checkpoint_bytes(parts.model, num_slots()) + exchange.room_bytes;
  }

  /// Whether all of it fits into the memory of every host, and into its shared memory, beside what is there already.
  /// Collective. Errors: config, agreed, with what is needed, what there is, and the ways out.
  void require_memory() const;
};

}  // namespace lockstep
