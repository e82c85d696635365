#include "step/engine.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "comm/cores.hpp"
#include "core/sums.hpp"
#include "core/tree.hpp"

namespace lockstep {
namespace {

// Seconds since the last call.
class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

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

void RowBuffer::reserve(std::size_t rows) {
  if (rows <= capacity_) return;
  if (kind_ == TargetKind::values) values_ = Buffer<float>(rows * targets_);
  if (kind_ == TargetKind::labels) labels_ = Buffer<std::int32_t>(rows);
  weights_ = Buffer<float>(rows);
  samples_ = Buffer<std::uint32_t>(rows);
  capacity_ = rows;
}

BatchRows RowBuffer::rows(std::size_t rows, std::span<float> x) noexcept {
  const bool labels = kind_ == TargetKind::labels;
  return {.x = x,
          .values = values_.view().first(labels ? 0 : rows * targets_),
          .labels = labels_.view().first(labels ? rows : 0),
          .samples = samples_.view().first(rows),
          .weights = weights_.view().first(extras_.weights ? rows : 0)};
}

Targets RowBuffer::targets(std::size_t rows) const noexcept {
  const bool labels = kind_ == TargetKind::labels;
  return {.labels = labels_.view().first(labels ? rows : 0),
          .values = values_.view().first(labels ? 0 : rows * targets_),
          .weights = weights_.view().first(extras_.weights ? rows : 0),
          .may_miss = extras_.missing && !labels};
}

std::span<const std::uint32_t> RowBuffer::samples(std::size_t rows) const noexcept {
  return samples_.view().first(rows);
}

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
      workspace_(model_.make_workspace(0, true)),
      rows_(loss_->num_targets(model_.outputs()), loss_->targets()),
      shard_sums_(plan_.shards * kShardSums),
      parameter_blocks_(blocks_of_parameters(blocks_, model_.parameters().entries().size())),
      block_squares_(blocks_.size()),
      block_weight_squares_(optimizer_->needs_norms() ? blocks_.size() : 0),
      parameter_norms_(model_.parameters().entries().size()),
      slot_views_(optimizer_->slots().size()),
      not_finite_block_(blocks_.size()),
      hosts_(hosts_of(comm_)) {
  comm_.together([&] {
    reserve_rows(plan.rows);
    probe_ = probe_kernels(*model_.compute());
  });
  if (comm_.is_root()) model_.initialize(static_cast<std::uint64_t>(run_.seed), exchange_->weights());
  exchange_->spread_weights();
  start_slots();
}

void Engine::reserve_rows(std::size_t rows) {
  if (rows <= workspace_.max_rows()) return;
  rows_.reserve(rows);
  workspace_ = model_.make_workspace(rows, true);
}

// The whole of a training step.
StepResult Engine::train_step(Batch& batch, std::uint32_t notes) {
  const auto seed = static_cast<std::uint64_t>(run_.seed);
  StepResult result{.step = info.position.step + 1};
  ask_batch({}, [&] {
    result.samples = batch.samples();
    rows_.expect(batch.extras());
  });
  Pulse& pulse = comm_.pulse();
  pulse.step.store(result.step, std::memory_order_relaxed);
  not_finite_block_ = blocks_.size();
  (void)exchange_->take_waits();  // of what came between the steps
  Stopwatch watch;

  // 1. Each owned shard: forward, loss, backward. Gradients are sums over the shard's samples.
  bool first = true;
  for (const std::size_t shard : exchange_->shard_order()) {
    pulse.enter(Phase::gathering, shard);
    const std::size_t rows = gather(batch, shard);
    result.times.gather += watch.lap();

    pulse.enter(Phase::forward, shard);
    const Pass pass{true, seed, static_cast<std::uint32_t>(info.position.step), rows_.samples(rows)};
    const auto await = [this](Range range) { exchange_->await_weights(range); };
    const auto outputs = model_.forward(pass, exchange_->weights(), rows, workspace_, {},
                                        first ? Model::BeforeLayer(await) : Model::BeforeLayer());
    first = false;
    const Targets targets = rows_.targets(rows);
    shard_sums_[kShardSums * shard] = loss_->evaluate(model_.outputs(), outputs, targets, workspace_.doutputs(rows));
    const RowWeights weights = loss_->weigh(rows, targets);
    shard_sums_[kShardSums * shard + 1] = weights.size;
    shard_sums_[kShardSums * shard + 2] = weights.sum;
    if (batch_failure_) mark_failed(shard);
    result.times.forward += watch.lap() - take_waits(result.times);

    pulse.enter(Phase::backward, shard);
    model_.backward(pass, exchange_->weights(), rows, workspace_, exchange_->gradient(),
                    [this](Range range) { exchange_->gradient_ready(range); });
    if (observer_ != nullptr) {
      const auto sums = std::span<const double>(shard_sums_).subspan(kShardSums * shard, kShardSums);
      observer_->on_shard(shard, rows_.samples(rows), sums, exchange_->gradient());
    }
    result.times.backward += watch.lap();
    exchange_->shard_done();
    result.times.exchange += watch.lap();
  }

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
  exchange_->visit(
      [this](std::size_t block, const PairSum& gradient) { block_squares_[block] = sum_squares(gradient); });
  exchange_->gather_blocks(block_squares_);
  return std::sqrt(tree_sum(block_squares_)) / divisor;
}

bool Engine::measure_norms(const UpdateStep& step) {
  exchange_->visit([&](std::size_t block, const PairSum& gradient) {
    const auto [range, parameter] = blocks_[block];
    const SquareSums sums = optimizer_->measure(
        step, decays_[parameter], exchange_->weights().subspan(range.begin, range.size()), gradient, slots_of(block));
    block_weight_squares_[block] = sums.weights;
    block_squares_[block] = sums.direction;
  });
  exchange_->gather_blocks(block_weight_squares_);
  exchange_->gather_blocks(block_squares_);
  for (std::size_t parameter = 0; parameter < parameter_norms_.size(); ++parameter) {
    const auto [begin, end] = parameter_blocks_[parameter];
    if (begin >= end) continue;
    const auto norm = [&](std::span<const double> squares) {
      return std::sqrt(tree_sum(squares.subspan(begin, end - begin)));
    };
    parameter_norms_[parameter] = {.weights = norm(block_weight_squares_), .direction = norm(block_squares_)};
    if (std::isfinite(parameter_norms_[parameter].weights) && std::isfinite(parameter_norms_[parameter].direction))
      continue;
    not_finite_block_ = std::min(not_finite_block_, begin);  // the same on every rank
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
