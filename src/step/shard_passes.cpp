// A step's forward and backward passes over the owned shards.
//
// A net of one stage takes the shards one after the other in one room. Where a layer needs sums over the whole batch,
// the net falls into stages: each shard has a room of its own, all go through a stage, what they bring is added up over
// all shards, then the next stage begins; backward likewise, and the exchange gets the gradients of a stage from all
// shards before those of the stage in front of it.
#include <algorithm>

#include "core/sums.hpp"
#include "core/tree.hpp"
#include "step/engine.hpp"
#include "step/stopwatch.hpp"

namespace lockstep {

void Engine::make_rooms(std::size_t rows) {
  const std::size_t stages = model_.num_stages();
  const std::size_t rooms = stages == 1 ? 1 : exchange_->shard_order().size();
  for (std::size_t i = 0; i < rooms; ++i) {
    rooms_.push_back({.buffer = RowBuffer(loss_->num_targets(model_.outputs()), loss_->targets()),
                      .workspace = model_.make_workspace(rows, true)});
    rooms_.back().buffer.reserve(rows);
  }
  std::size_t most_sums = 0;
  for (std::size_t border = 0; border + 1 < stages; ++border) {
    const std::size_t sums = model_.num_sums(border);
    most_sums = std::max(most_sums, sums);
    std::vector<std::size_t>& starts = border_starts_.emplace_back();
    for (std::size_t rank = 0; rank < plan_.ranks; ++rank) starts.push_back(plan_.owned(rank).begin * sums);
    starts.push_back(plan_.shards * sums);
  }
  border_sums_.resize(plan_.shards * most_sums);
}

void Engine::reserve_rows(Room& room, std::size_t rows) const {
  if (rows <= room.workspace.max_rows()) return;
  room.buffer.reserve(rows);
  room.workspace = model_.make_workspace(rows, true);
}

Pass Engine::pass_of(const Room& room) const {
  return {.training = true,
          .seed = static_cast<std::uint64_t>(run_.seed),
          .step = static_cast<std::uint32_t>(info.position.step),
          .samples = room.buffer.samples(room.rows)};
}

ShardView Engine::view_of(std::size_t shard, const Room& room) const {
  return {.shard = shard,
          .samples = room.buffer.samples(room.rows),
          .sums = std::span(shard_sums_).subspan(kShardSums * shard, kShardSums)};
}

void Engine::pass_shards(Batch& batch, StepTimes& times, bool exchanges) {
  const auto order = exchange_->shard_order();
  const std::size_t stages = model_.num_stages();
  if (stages == 1) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      forward_shard(batch, order[i], rooms_.front(), 0, i == 0, times);
      backward_shard(order[i], rooms_.front(), 0, exchanges, times);
    }
    return;
  }
  for (std::size_t stage = 0; stage < stages; ++stage) {
    for (std::size_t i = 0; i < order.size(); ++i) forward_shard(batch, order[i], rooms_[i], stage, i == 0, times);
    if (stage + 1 < stages) times.wait += share_sums(stage, &BatchSums::forward);
  }
  for (std::size_t stage = stages; stage-- > 0;) {
    for (std::size_t i = 0; i < order.size(); ++i) backward_shard(order[i], rooms_[i], stage, exchanges, times);
    if (stage > 0) times.wait += share_sums(stage - 1, &BatchSums::backward);
  }
}

// `first`: of the stage, so that its weights may not be there yet.
void Engine::forward_shard(Batch& batch, std::size_t shard, Room& room, std::size_t stage, bool first,
                           StepTimes& times) {
  Pulse& pulse = comm_.pulse();
  Stopwatch watch;
  if (stage == 0) {
    pulse.enter(Phase::gathering, shard);
    room.rows = gather(batch, shard, room);
    if (observer_ != nullptr) observer_->on_rows(view_of(shard, room), room.workspace.input(room.rows));
    times.gather += watch.lap();
  }
  pulse.enter(Phase::forward, shard);
  const auto await = [this](Range range) { exchange_->await_weights(range); };
  Model::LayerDone done;
  if (observer_ != nullptr) {
    done = [&](std::size_t layer, std::span<const float> outputs) {
      observer_->on_layer(view_of(shard, room), layer, outputs);
    };
  }
  const auto outputs = model_.forward_stage(stage, pass_of(room), exchange_->weights(), room.rows, room.workspace, done,
                                            first ? Model::BeforeLayer(await) : Model::BeforeLayer());
  if (stage + 1 == model_.num_stages()) {
    const Targets targets = room.buffer.targets(room.rows);
    const std::span<double> sums = std::span(shard_sums_).subspan(kShardSums * shard, kShardSums);
    sums[0] = loss_->evaluate(model_.outputs(), outputs, targets, room.workspace.doutputs(room.rows));
    const RowWeights weights = loss_->weigh(room.rows, targets);
    sums[1] = weights.size;
    sums[2] = weights.sum;
    if (batch_failure_) mark_failed(shard);
  }
  times.forward += watch.lap() - take_waits(times);
}

void Engine::backward_shard(std::size_t shard, Room& room, std::size_t stage, bool exchanges, StepTimes& times) {
  comm_.pulse().enter(Phase::backward, shard);
  Stopwatch watch;
  const std::span<float> gradient = exchange_->gradient();
  Model::GradientReady ready;
  if (exchanges) ready = [this](Range range) { exchange_->gradient_ready(range); };
  model_.backward_stage(stage, pass_of(room), exchange_->weights(), room.rows, room.workspace, gradient, ready);
  const Range elements = model_.stage_elements(stage);
  if (observer_ != nullptr) observer_->on_gradient(view_of(shard, room), gradient, elements);
  times.backward += watch.lap();
  if (exchanges) exchange_->shard_done(elements.begin);
  times.exchange += watch.lap();
}

double Engine::share_sums(std::size_t border, std::span<double> BatchSums::*sums) {
  Stopwatch watch;
  const std::size_t size = model_.num_sums(border);
  const std::span<double> all = std::span(border_sums_).first(plan_.shards * size);
  const auto order = exchange_->shard_order();
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::ranges::copy(rooms_[i].workspace.sums(border).*sums, all.subspan(order[i] * size, size).begin());
  }
  comm_.gather_parts(all, border_starts_[border]);
  const std::span<double> total = rooms_.front().workspace.sums(border).*sums;
  for (std::size_t i = 0; i < size; ++i) total[i] = tree_sum_column(all, size, i);
  for (std::size_t i = 1; i < rooms_.size(); ++i)
    std::ranges::copy(total, (rooms_[i].workspace.sums(border).*sums).begin());
  return watch.lap();
}

void Engine::move_running(std::size_t block) {
  const std::span<float> values = weights_of(block);
  model_.update_running(blocks_[block].parameter, blocks_[block].range, rooms_.front().workspace, values);
  if (!all_finite(values)) not_finite_block_ = std::min(not_finite_block_, block);
  if (has_ema()) std::ranges::copy(values, ema_of(block).begin());
}

}  // namespace lockstep
