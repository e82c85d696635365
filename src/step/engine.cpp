#include "step/engine.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "comm/cores.hpp"
#include "core/sums.hpp"
#include "core/tree.hpp"
#include "step/stopwatch.hpp"

namespace lockstep {
namespace {

// The blocks of each parameter: [parameters].
std::vector<Range> blocks_of_parameters(std::span<const Block> blocks, std::size_t parameters) {
  std::vector<Range> ranges(parameters, {blocks.size(), 0});
  for (std::size_t block = 0; block < blocks.size(); ++block) {
    Range& range = ranges[blocks[block].parameter];
    range = {std::min(range.begin, block), block + 1};
  }
  return ranges;
}

// The communicator of a plan that is refused here, before any memory is taken, where it does not fit.
const Communicator& fitting(const EnginePlan& plan) {
  plan.require_memory();
  return plan.comm;
}

ExchangeLayout with_blocks(ExchangeLayout layout, std::span<const Block> blocks) {
  layout.blocks.assign(blocks.begin(), blocks.end());
  return layout;
}

std::string hosts_of(const Communicator& comm) {
  std::vector<std::string> hosts = comm.gather_texts(host_name());
  std::sort(hosts.begin(), hosts.end());
  hosts.erase(std::unique(hosts.begin(), hosts.end()), hosts.end());
  return fmt::format("{}", fmt::join(hosts, ","));
}

}  // namespace

Engine::Engine(EnginePlan plan)
    : comm_(fitting(plan)),
      run_(plan.run),
      model_(std::move(plan.parts.model)),
      loss_(std::move(plan.parts.loss)),
      optimizer_(std::move(plan.parts.optimizer)),
      schedule_(std::move(plan.parts.schedule)),
      decays_(std::move(plan.parts.decays)),
      base_lr_(*run_.optimizer.lr),
      plan_(plan.shards),
      blocks_(trained_blocks(model_)),
      measures_gradient_(plan.layout.revisits),
      exchange_(make_exchange(run_.train.exchange, comm_, with_blocks(plan.layout, blocks_))),
      shard_sums_(plan_.shards * kShardSums),
      parameter_blocks_(blocks_of_parameters(blocks_, model_.parameters().entries().size())),
      block_squares_(blocks_.size()),
      block_weight_squares_(optimizer_->needs_norms() ? blocks_.size() : 0),
      parameter_norms_(model_.parameters().entries().size()),
      slot_views_(optimizer_->slots().size()),
      not_finite_block_(blocks_.size()),
      hosts_(hosts_of(comm_)) {
  comm_.together([&] {
    make_rooms(plan.rows);
    probe_ = probe_kernels(*model_.compute());
  });
  if (comm_.is_root()) model_.initialize(static_cast<std::uint64_t>(run_.seed), exchange_->weights());
  exchange_->spread_weights();
  start_slots();
}

std::size_t Engine::bytes() const noexcept {
  std::size_t bytes = exchange_->bytes();
  for (const Room& room : rooms_) bytes += room.workspace.bytes();
  return bytes;
}

// The whole of a training step.
StepResult Engine::train_step(Batch& batch, std::uint32_t notes) {
  StepResult result{.step = info.position.step + 1};
  ask_batch({}, [&] {
    result.samples = batch.samples();
    for (Room& room : rooms_) room.buffer.expect(batch.extras());
  });
  Pulse& pulse = comm_.pulse();
  pulse.step.store(result.step, std::memory_order_relaxed);
  not_finite_block_ = blocks_.size();
  (void)exchange_->take_waits();  // of what came between the steps

  // 1. Each owned shard: forward, loss, backward. Gradients are sums over the shard's samples.
  pass_shards(batch, result.times, true);
  Stopwatch watch;

  // 2. The shards' gradients are added in the fixed tree, every weight is updated once, all ranks see the new weights.
  pulse.enter(Phase::collecting);
  exchange_->collect(shard_sums_);
  pulse.enter(Phase::updating);
  result.learning_rate = learning_rate(info.position.step);
  result.weight = tree_sum_column(shard_sums_, kShardSums, 1);
  result.weight_sum = tree_sum_column(shard_sums_, kShardSums, 2);
  result.loss = tree_sum_column(shard_sums_, kShardSums, 0) / result.weight;
  const bool updated = std::isfinite(result.loss) && update(result);
  pulse.enter(Phase::publishing);
  notes_ = exchange_->publish(notes | (not_finite_block_ < blocks_.size() ? kNotFinite : 0));
  result.times.exchange += watch.lap() - take_waits(result.times);
  pulse.enter(Phase::between_steps);
  if (!updated || (notes_ & kNotFinite) != 0) meet_not_finite(batch, updated, result);

  if (result.skipped.empty()) skipped_ = 0;
  ++info.position.step;
  info.decision.reset();  // it was chosen for the weights before
  return result;
}

bool Engine::update(StepResult& result) {
  UpdateStep step{.lr = result.learning_rate, .step = result.step, .divisor = result.weight};
  if (measures_gradient_) {
    result.gradient_norm = measure_gradient(step.divisor);
    if (!std::isfinite(*result.gradient_norm)) return false;
    // As torch.nn.utils.clip_grad_norm_.
    if (const double most = run_.optimizer.clip_norm; most > 0) {
      step.clip = static_cast<float>(std::min(1.0, most / (*result.gradient_norm + 1e-6)));
    }
  }
  if (optimizer_->needs_norms()) {
    if (!measure_norms(step)) return true;
    exchange_->visit([&](std::size_t block, const PairSum& gradient) { apply_with_norms(step, block, gradient); });
  } else {
    exchange_->visit([&](std::size_t block, const PairSum& gradient) { apply(step, block, gradient); });
  }
  return true;
}

double Engine::measure_gradient(double divisor) {
  exchange_->visit([this](std::size_t block, const PairSum& gradient) {
    block_squares_[block] = is_running(block) ? 0 : sum_squares(gradient);
  });
  exchange_->gather_blocks(block_squares_);
  return std::sqrt(tree_sum(block_squares_)) / divisor;
}

bool Engine::measure_norms(const UpdateStep& step) {
  exchange_->visit([&](std::size_t block, const PairSum& gradient) {
    const auto [range, parameter] = blocks_[block];
    if (is_running(block)) return;  // its squares stay 0
    const SquareSums sums = optimizer_->measure(
        step, decays_[parameter], exchange_->weights().subspan(range.begin, range.size()), gradient, slots_of(block));
    block_weight_squares_[block] = sums.weights;
    block_squares_[block] = sums.direction;
  });
  exchange_->gather_blocks(block_weight_squares_);
  exchange_->gather_blocks(block_squares_);
  for (std::size_t parameter = 0; parameter < parameter_norms_.size(); ++parameter) {
    const Range of_parameter = parameter_blocks_[parameter];
    if (of_parameter.begin >= of_parameter.end) continue;
    const auto norm = [&](std::span<const double> squares) {
      return std::sqrt(tree_sum(squares.subspan(of_parameter.begin, of_parameter.size())));
    };
    parameter_norms_[parameter] = {.weights = norm(block_weight_squares_), .direction = norm(block_squares_)};
    if (std::isfinite(parameter_norms_[parameter].weights) && std::isfinite(parameter_norms_[parameter].direction))
      continue;
    not_finite_block_ = std::min(not_finite_block_, of_parameter.begin);  // the same on every rank
  }
  return not_finite_block_ == blocks_.size();
}

std::span<std::span<float>> Engine::slots_of(std::size_t block) {
  for (std::size_t slot = 0; slot < slot_views_.size(); ++slot) slot_views_[slot] = exchange_->slot(slot, block);
  return slot_views_;
}

double Engine::take_waits(StepTimes& times) {
  const StepWaits waits = exchange_->take_waits();
  times.wait += waits.ranks;
  times.communication += waits.hosts;
  return waits.ranks + waits.hosts;
}

void Engine::apply(const UpdateStep& step, std::size_t block, const PairSum& gradient) {
  const std::span<float> weights = weights_of(block);
  if (is_running(block)) {
    move_running(block);
    return;
  }
  if (observer_ != nullptr) observer_->on_update(blocks_[block].range, gradient, step);
  optimizer_->update(step, decays_[blocks_[block].parameter], weights, gradient, slots_of(block));
  // What is not finite in the gradient is not finite in the weights either: no optimizer lets it pass.
  if (!all_finite(weights)) not_finite_block_ = std::min(not_finite_block_, block);
  move_ema(block);
}

void Engine::apply_with_norms(const UpdateStep& step, std::size_t block, const PairSum& gradient) {
  UpdateStep of_parameter = step;
  const SquareSums& norms = parameter_norms_[blocks_[block].parameter];
  of_parameter.weight_norm = norms.weights;
  of_parameter.direction_norm = norms.direction;
  apply(of_parameter, block, gradient);
}

}  // namespace lockstep
