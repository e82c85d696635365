// The engine's state to a checkpoint and back.
#include <fmt/format.h>

#include <algorithm>

#include "config/run_file.hpp"
#include "core/utc_time.hpp"
#include "core/vector_math.hpp"
#include "io/hdf5.hpp"
#include "lockstep/version.hpp"
#include "step/engine.hpp"
#include "step/shared_info.hpp"

namespace lockstep {
namespace {

// The state of frozen parameters is zeros, also where they have been trained before.
std::vector<std::vector<float>> without_frozen(std::vector<std::vector<float>> slots, const Model& model) {
  for (std::vector<float>& slot : slots) {
    for (std::size_t i = 0; i < model.trained().size(); ++i) {
      const Range range = model.parameters().entries()[i].range;
      if (!model.trained()[i]) std::ranges::fill(std::span(slot).subspan(range.begin, range.size()), 0.0F);
    }
  }
  return slots;
}

}  // namespace

CheckpointArrays Engine::arrays(const State& state) const {
  CheckpointArrays arrays{model_.parameters(), exchange_->weights(), optimizer_->slots(), state.slots};
  if (!has_ema()) return arrays;
  arrays.ema = arrays.slots.back();
  arrays.slots.pop_back();
  return arrays;
}

Engine::State Engine::make_state() const {
  const bool completes = has_ema() && model_.has_frozen() && comm_.is_root();
  return {exchange_->slot_room(), {}, Buffer<float>(completes ? model_.parameters().arena_size() : 0)};
}

void Engine::gather_state(State& state) {
  settle();
  state.slots = exchange_->gather_slots(state.room);
  if (state.ema.size() == 0) return;
  // What is frozen is in no block, so that nobody keeps its average, which it is itself.
  std::ranges::copy(state.slots.back(), state.ema.view().begin());
  for (std::size_t i = 0; i < model_.trained().size(); ++i) {
    const Range range = model_.parameters().entries()[i].range;
    if (model_.trained()[i]) continue;
    std::ranges::copy(weights().subspan(range.begin, range.size()), state.ema.view().subspan(range.begin).begin());
  }
  state.slots.back() = state.ema.view();
}

std::string Engine::digest() {
  State state = make_state();
  gather_state(state);
  std::string digest;
  if (comm_.is_root()) digest = digest_of(arrays(state), info.position, run_.seed);
  return comm_.broadcast_text(digest);
}

h5::FileImage Engine::build_checkpoint(const std::string& path, const State& state) const {
  CheckpointInfo full = info;
  full.seed = run_.seed;
  full.shards = static_cast<std::int64_t>(plan_.shards);
  full.version = kCheckpointVersion;  // that of a run that goes on may have been read from an older one
  full.inputs = static_cast<std::int64_t>(model_.inputs());
  const auto extents = model_.input_shape().extents();
  full.input_shape.assign(extents.begin(), extents.end());
  full.outputs = static_cast<std::int64_t>(model_.outputs());
  full.run = format_run(run_);
  full.exchange = exchange_->name();
  if (!exchange_->same_bits_at_any_rank_count())
    full.exchange += fmt::format(" (bits depend on {})", exchange_->bits_depend_on());
  full.versions = {{"lockstep", std::string(kVersion)},
                   {"hdf5", h5::library_version()},
                   {"blas", model_.compute()->version()},
                   {"mpi", mpi_version()}};
  full.blas_kernel = model_.compute()->kernel();
  full.blas_threads = model_.compute()->threads();
  full.simd_target = simd_target();
  full.probe = probe_;
  full.ranks = comm_.size();
  full.hosts = hosts_;
  full.time = utc_now();
  return lockstep::build_checkpoint(path, std::move(full), arrays(state));
}

void Engine::save(const std::string& path) {
  State state;
  comm_.together([&] { state = make_state(); });
  gather_state(state);
  comm_.together([&] {
    if (comm_.is_root()) write_checkpoint(path, build_checkpoint(path, state));
  });
}

void Engine::fill_weights(FunctionRef<void(std::span<float>)> fill) {
  settle();
  if (comm_.is_root()) fill(exchange_->weights());
  exchange_->spread_weights();
  start_slots();
}

void check_fits(const Model& model, const Optimizer& optimizer, const RunConfig& run, const Checkpoint& read,
                const std::string& path) {
  check_same_parameters(model.parameters(), read.table, path);
  if (!std::ranges::equal(optimizer.slots(), read.slot_names)) {
    throw Error(ErrorKind::data,
                fmt::format("{} holds the state of another optimizer than {}", path, run.optimizer.type));
  }
  const bool wants_ema = run.train.ema > 0;
  if (wants_ema == read.ema.empty()) {
    throw Error(ErrorKind::data,
                fmt::format("{} holds {} of the weights, but train.ema is {}", path,
                            read.ema.empty() ? "no moving average" : "a moving average", wants_ema ? "set" : "0"));
  }
}

void Engine::load(const Checkpoint* read, const std::string& path) {
  CheckpointInfo kept = share_info(comm_, read, path).value();
  take_arrays(read, path);
  info = std::move(kept);
}

void Engine::take_arrays(const Checkpoint* read, const std::string& path) {
  comm_.together([&] {  // all checks before the first change
    if (read != nullptr) check_fits(model_, *optimizer_, run_, *read, path);
  });
  settle();
  std::vector<std::vector<float>> cleared;
  std::vector<std::span<const float>> slots;
  if (read != nullptr) {
    std::ranges::copy(read->weights, exchange_->weights().begin());
    if (model_.has_frozen()) cleared = without_frozen(read->slots, model_);
    const std::vector<std::vector<float>>& all = model_.has_frozen() ? cleared : read->slots;
    slots.assign(all.begin(), all.end());
    if (has_ema()) slots.emplace_back(read->ema);
  }
  exchange_->spread_weights();
  exchange_->spread_slots(slots);
}

}  // namespace lockstep
