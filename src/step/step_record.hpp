// What one step does with one weight, kept while the step is made: how the gradients of the shards become its update.
//
// Nothing is computed a second time: the numbers are those that train_step and the exchange have in hand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/range.hpp"
#include "lockstep/batch.hpp"
#include "lockstep/step_result.hpp"
#include "optim/optimizer.hpp"

namespace lockstep {

class Engine;

/// What a shard brings to the step.
struct ShardGradient {
  std::size_t shard = 0;
  std::size_t rank = 0;  ///< that has computed it
  Range samples = {};    ///< of StepRecord::samples; empty where the batch has fewer samples than shards
  double loss = 0;       ///< sum over its samples, by weight
  double weight = 0;     ///< of these samples, by size
  float gradient = 0;    ///< of the sum of the losses
};

/// What a rank works with that updates the weight.
struct WeightUpdate {
  std::size_t rank = 0;
  float sum = 0;  ///< over all shards, as the exchange gave it
  UpdateStep step = {};
};

struct StepRecord {
  std::size_t element = 0;                  ///< of the arena: the weight that is looked at
  std::vector<ShardGradient> shards = {};   ///< of this rank; after record_step of all, in order
  std::vector<std::uint32_t> samples = {};  ///< of the shards, as the data set counts them
  std::vector<WeightUpdate> updates = {};   ///< one a rank that updates the weight; none where a step is left out
  float before = 0;                         ///< the weight
  std::vector<float> after = {};            ///< [ranks] what each rank has afterwards
};

/// Engine::train_step; afterwards every rank has the whole record of it for weight `element` of the arena.
/// Collective. Errors: as train_step's.
StepResult record_step(Engine& engine, Batch& batch, std::size_t element, StepRecord& record);

/// A node of the tree over the shards, with the sum of their gradients.
struct GradientNode {
  Range shards;
  float sum = 0;
};

/// The nodes of the fixed tree over the gradients of shards 0, 1, ..., in postfix order: a node comes behind the two
/// that it adds, the last is the root. The additions are those of the exchanges, in float.
[[nodiscard]] std::vector<GradientNode> add_in_tree(std::span<const float> gradients);

}  // namespace lockstep
