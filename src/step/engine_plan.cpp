#include "step/engine_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "comm/memory_check.hpp"
#include "comm/node_memory.hpp"
#include "compute/compute.hpp"
#include "core/number_text.hpp"
#include "lockstep/error.hpp"
#include "model/class_weights.hpp"

namespace lockstep {
namespace {

// Of bias and norm, by which `decay_exclude` names kinds of parameters.
ParameterKind kind_of(const std::string& name) {
  if (name == "bias") return ParameterKind::bias;
  if (name == "norm") return ParameterKind::norm;
  throw Error(ErrorKind::config,
              fmt::format("optimizer.decay_exclude: unknown kind of parameter \"{}\"; known kinds: bias, norm", name));
}

std::vector<bool> decays_of(const ParameterTable& table, const std::vector<std::string>& excluded) {
  std::vector<ParameterKind> kinds{ParameterKind::running};
  for (const std::string& name : excluded) kinds.push_back(kind_of(name));
  std::vector<bool> decays;
  for (const Parameter& parameter : table.entries()) {
    decays.push_back(std::ranges::find(kinds, parameter.kind) == kinds.end());
  }
  return decays;
}

}  // namespace

RunConfig resolve_run(const RunConfig& run, int ranks) {
  RunConfig resolved = run;
  if (!resolved.train.shards) resolved.train.shards = ranks;
  if (*resolved.train.shards < ranks) {
    throw Error(ErrorKind::config,
                fmt::format("train.shards: {} ranks cannot share {} shards; start at most {} ranks, or a new run with "
                            "more shards",
                            ranks, *resolved.train.shards, *resolved.train.shards));
  }
  constexpr std::int64_t kMostShards = 65536;  // all of them are dealt out, planned and added up on every rank
  if (*resolved.train.shards > kMostShards) {
    throw Error(ErrorKind::config,
                fmt::format("train.shards: expected at most {}, found {}", kMostShards, *resolved.train.shards));
  }
  if (!(resolved.train.ema >= 0 && resolved.train.ema < 1)) {
    throw Error(ErrorKind::config, fmt::format("train.ema: expected a decay from 0 to below 1, found {}",
                                               number_text(resolved.train.ema)));
  }
  const auto types = optimizer_table();
  // An unknown type is told by make_optimizer; any rate does until then.
  if (!resolved.optimizer.lr) resolved.optimizer.lr = 1e-2;
  const auto type =
      std::find_if(types.begin(), types.end(), [&](const auto& t) { return t.info.name == run.optimizer.type; });
  if (type != types.end() && !run.optimizer.lr) resolved.optimizer.lr = type->default_lr;
  return resolved;
}

EngineParts::EngineParts(const RunConfig& run, std::size_t inputs, std::uint64_t total_steps)
    : model(run.model, inputs, make_compute({.threads = run.train.threads})),
      loss(make_loss(run.model.loss)),
      optimizer(make_optimizer(run.optimizer.type, run.optimizer.options)),
      schedule(make_schedule(run.optimizer.schedule, *run.optimizer.lr, total_steps)),
      decays(decays_of(model.parameters(), run.optimizer.decay_exclude)) {
  if (wants_balance(run.model.loss)) {
    throw Error(ErrorKind::config,
                fmt::format("{}.class_weights: \"balanced\" needs the labels of all training data, which are not known "
                            "here; give a list of weights, one a class",
                            run.model.loss.options.where().empty() ? "model.loss" : run.model.loss.options.where()));
  }
  loss->check_outputs(model.outputs());
}

std::vector<Block> trained_blocks(const Model& model) {
  std::vector<Block> blocks = blocks_of(model.parameters());
  std::erase_if(blocks, [&](const Block& block) { return !model.trained()[block.parameter]; });
  return blocks;
}

std::size_t num_trained_blocks(const Model& model) {
  std::size_t blocks = 0;
  for (std::size_t index = 0; index < model.trained().size(); ++index) {
    const std::size_t size = model.parameters().entries()[index].range.size();
    if (model.trained()[index]) blocks += (size + kBlockElements - 1) / kBlockElements;
  }
  return blocks;
}

std::size_t checkpoint_bytes(const Model& model, std::size_t slots) noexcept {
  return (1 + slots) * model.parameters().count() * sizeof(float);
}

EnginePlan::EnginePlan(const Communicator& communicator, const RunConfig& config, EngineParts given, std::size_t most)
    : comm(communicator),
      run(config),
      parts(std::move(given)),
      rows(most),
      shards{.shards = static_cast<std::size_t>(*run.train.shards), .ranks = static_cast<std::size_t>(comm.size())},
      layout{.elements = parts.model.parameters().arena_size(),
             .slots = parts.optimizer->slots().size() + (run.train.ema > 0 ? 1 : 0),
             .shards = shards.shards,
             .owned_shards = shards.owned(static_cast<std::size_t>(comm.rank())),
             .revisits = run.optimizer.clip_norm > 0 || run.train.on_nonfinite == "skip" || run.log.gradient_norm ||
                         parts.optimizer->needs_norms(),
             .wire = run.train.wire == "bfloat16" ? Wire::bfloat16 : Wire::float32,
             .overlap = run.train.overlap,
             .shard_values = kShardSums},
      exchange(plan_exchange(run.train.exchange, comm, layout, num_trained_blocks(parts.model),
                             [&] { return trained_blocks(parts.model); })) {}

void EnginePlan::require_memory() const {
  const bool alone = exchange.ranks == 1;
  const MemoryNeed need{.own = activation_bytes() + besides + exchange.own_bytes + (alone ? exchange.shared_bytes : 0),
                        .shared = alone ? 0 : exchange.shared_bytes,
                        .later = makes_checkpoints && comm.is_root() ? saving_bytes() : 0};
  MemoryUse use{.what = "this run"};
  constexpr std::size_t kWorthTelling = 8;  // a part of so much
  if (activation_bytes() > bytes() / kWorthTelling) use.way_out = "a smaller train.batch or more train.shards, or ";
  use.way_out += "a smaller net";
  if (run.train.exchange != "node" && comm.size() > comm.nodes())
    use.way_out_on_host = "train.exchange = \"node\", which holds one set of weights a host";
  lockstep::require_memory(comm, need, use);
  if (exchange.shared_bytes > 0) NodeWindow::require_space(comm, exchange.shared_bytes, use_of_node_memory());
}

}  // namespace lockstep
