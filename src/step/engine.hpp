// The training step and the state it changes.
//
// An Engine is a net, its optimizer and an exchange on one communicator. It knows batches, not data sets or epochs:
// fit.cpp drives it over a data set, trainer.cpp hands it to other programs, bench times it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "comm/communicator.hpp"
#include "comm/exchange.hpp"
#include "compute/probe.hpp"
#include "core/function_ref.hpp"
#include "data/shard_plan.hpp"
#include "lockstep/batch.hpp"
#include "lockstep/run_config.hpp"
#include "lockstep/step_result.hpp"
#include "model/loss.hpp"
#include "model/model.hpp"
#include "optim/optimizer.hpp"
#include "optim/schedule.hpp"
#include "step/engine_plan.hpp"
#include "step/row_buffer.hpp"

namespace lockstep {

/// A shard under way.
struct ShardView {
  std::size_t shard = 0;
  std::span<const std::uint32_t> samples;
  std::span<const double> sums;  ///< once its loss is known: the loss, and what its rows weigh
};

/// Told what a step does, while it does it; see record_step.
class StepObserver {
 public:
  virtual ~StepObserver() = default;
  /// A shard has its rows. x [rows, inputs].
  virtual void on_rows(const ShardView& /*shard*/, std::span<const float> /*x*/) {}
  /// A layer is done. outputs [rows, width].
  virtual void on_layer(const ShardView& /*shard*/, std::size_t /*layer*/, std::span<const float> /*outputs*/) {}
  /// The backward pass of a shard is done for elements `elements` of `gradient` [arena], which is its own. Where the
  /// net has several stages it comes in parts, the last elements first.
  virtual void on_gradient(const ShardView& shard, std::span<const float> gradient, Range elements) = 0;
  /// A block is about to be updated from `sum`.
  virtual void on_update(Range /*block*/, const PairSum& /*sum*/, const UpdateStep& /*step*/) {}
};

class Engine {
 public:
  /// Takes the memory that `plan` tells of. Its communicator must outlive the engine.
  /// Collective. Errors: config, agreed (it does not fit, see EnginePlan::require_memory); io, agreed (out of memory
  /// all the same); comm.
  explicit Engine(EnginePlan plan);
  /// Of a plan for shards of `rows` rows; 0: not known yet.
  Engine(const Communicator& comm, const RunConfig& run, EngineParts parts, std::size_t rows = 0)
      : Engine(EnginePlan(comm, run, std::move(parts), rows)) {}

  /// The bit of notes() that says that a rank's weights are no longer finite. A caller's bits begin above it.
  static constexpr std::uint32_t kNotFinite = 1;

  /// One step. `notes`: bits that this rank brings for all, see notes().
  /// Collective. Errors: usage, diverged, comm.
  StepResult train_step(Batch& batch, std::uint32_t notes = 0);
  /// The bits that the ranks brought to the last step, or-ed: the same on every rank.
  [[nodiscard]] std::uint32_t notes() const noexcept { return notes_; }

  /// Has the next steps told to `observer`, which must outlive them; null: to nobody.
  void observe(StepObserver* observer) noexcept { observer_ = observer; }

  /// Compares all copies of the weights: those of the ranks or hosts that hold their own. Collective.
  /// Errors: internal, agreed, naming who differs.
  void audit();

  /// Waits until weights() are those of the last step: they come from other hosts while the next one begins. Needed
  /// before anything but train_step() reads them. Collective.
  void settle() { exchange_->await_weights(all_elements()); }

  /// Whose data the state is of, for the run that checkpoints keep.
  void set_data(const DataConfig& data) { run_.data = data; }

  /// Whether a moving average of the weights is kept (train.ema).
  [[nodiscard]] bool has_ema() const noexcept { return run_.train.ema > 0; }
  /// Settles, and lets weights and average change places, so that weights() are the average; again: back, to the bit.
  /// Nothing without an average. No step and no save in between. Collective.
  void swap_ema();

  /// The learning rate of `step`, counted from 0: a base rate times the schedule's factor. The base rate is the run's
  /// until it is set; the same on every rank.
  [[nodiscard]] double learning_rate(std::uint64_t step) const { return base_lr_ * schedule_->factor(step); }
  void set_base_lr(double lr) noexcept { base_lr_ = lr; }

  [[nodiscard]] const Communicator& comm() const noexcept { return comm_; }
  [[nodiscard]] const RunConfig& run() const noexcept { return run_; }
  [[nodiscard]] const Model& model() const noexcept { return model_; }
  [[nodiscard]] const Loss& loss() const noexcept { return *loss_; }
  [[nodiscard]] const Schedule& schedule() const noexcept { return *schedule_; }
  [[nodiscard]] const ShardPlan& shards() const noexcept { return plan_; }
  [[nodiscard]] const Exchange& exchange() const noexcept { return *exchange_; }
  [[nodiscard]] std::span<const float> weights() const noexcept { return exchange_->weights(); }
  /// Bytes that this rank holds of what its plan has told of.
  [[nodiscard]] std::size_t bytes() const noexcept;

  /// What a checkpoint keeps besides the arrays. fit.cpp maintains history, sums, best and fingerprints.
  CheckpointInfo info;

  /// The weights and the optimizer's state: all of them on rank 0, where they stay valid until the next step.
  struct State {
    SlotRoom room;
    std::vector<std::span<const float>> slots;
    Buffer<float> ema = {};  // where layers are frozen: the average, with their weights
  };
  /// Room for it: none but on rank 0. Local. Errors: std::bad_alloc.
  [[nodiscard]] State make_state() const;
  /// Settles, and brings to rank 0 what lies elsewhere. Collective.
  void gather_state(State& state);
  /// Digest of the state. Collective (a rank may hold a part of it).
  [[nodiscard]] std::string digest();
  /// The checkpoint of this state, in memory: to be built on rank 0 between two steps. Local. Errors: io.
  [[nodiscard]] h5::FileImage build_checkpoint(const std::string& path, const State& state) const;
  /// Bytes of the arrays in it.
  [[nodiscard]] std::size_t checkpoint_bytes() const noexcept {
    return lockstep::checkpoint_bytes(model_, num_slots());
  }
  /// Writes a checkpoint from rank 0. Collective. Errors: io, on every rank.
  void save(const std::string& path);
  /// Rank 0 changes the weights by `fill`; then they are those of all ranks, and optimizer state and average start from
  /// them. Collective.
  void fill_weights(FunctionRef<void(std::span<float>)> fill);
  /// Takes over a checkpoint that rank 0 has read (`read` is null elsewhere). Checked before anything is changed.
  /// Collective. Errors: data, on every rank.
  void load(const Checkpoint* read, const std::string& path);
  /// Takes over its arrays alone: `info` stays. Collective. Errors: data, on every rank.
  void take_arrays(const Checkpoint* read, const std::string& path);

 private:
  // Where a shard is computed.
  struct Room {
    RowBuffer buffer;
    Workspace workspace;
    std::size_t rows = 0;  // of the shard that is in it
  };

  // Makes room for shards of `rows` rows, so that no step allocates.
  void make_rooms(std::size_t rows);
  void reserve_rows(Room& room, std::size_t rows) const;

  // Forward, loss and backward of all owned shards (shard_passes.cpp): one shard after the other where the net is of
  // one stage, else stage by stage. `exchanges`: the gradients are for the exchange.
  void pass_shards(Batch& batch, StepTimes& times, bool exchanges);
  void forward_shard(Batch& batch, std::size_t shard, Room& room, std::size_t stage, bool first, StepTimes& times);
  void backward_shard(std::size_t shard, Room& room, std::size_t stage, bool exchanges, StepTimes& times);
  // Adds up what the shards bring to a border between stages; returns the seconds that it took. Collective.
  double share_sums(std::size_t border, std::span<double> BatchSums::*sums);
  [[nodiscard]] Pass pass_of(const Room& room) const;
  [[nodiscard]] ShardView view_of(std::size_t shard, const Room& room) const;
  [[nodiscard]] bool is_running(std::size_t block) const {
    return model_.parameters().entries()[blocks_[block].parameter].kind == ParameterKind::running;
  }
  // Starts optimizer state and average of the own blocks, from the weights (ema.cpp).
  void start_slots();
  [[nodiscard]] std::span<float> weights_of(std::size_t block) {
    return exchange_->weights().subspan(blocks_[block].range.begin, blocks_[block].range.size());
  }
  [[nodiscard]] std::span<float> ema_of(std::size_t block);
  void move_ema(std::size_t block);
  // Of a block of kind running.
  void move_running(std::size_t block);
  // Updates the own blocks. False: the gradient's norm is not finite, and nothing has changed.
  bool update(StepResult& result);
  void apply(const UpdateStep& step, std::size_t block, const PairSum& gradient);
  // The same with the norms that measure_norms() took.
  void apply_with_norms(const UpdateStep& step, std::size_t block, const PairSum& gradient);
  // The gradient's norm.
  double measure_gradient(double divisor);
  // Sets parameter_norms_, and not_finite_block_ where they are not finite; returns whether all are. May change slots.
  bool measure_norms(const UpdateStep& step);

  // The batch is another's code, which may fail on this rank alone (batch_failure.cpp). The others learn of it by the
  // sums of the step's shards, which are marked: so the step goes on here, without rows, to where all have them.
  void ask_batch(std::optional<std::size_t> shard, FunctionRef<void()> question);
  // Rows of the shard, once they are in workspace and row buffer; 0 after a failure.
  std::size_t gather(Batch& batch, std::size_t shard, Room& room);
  void mark_failed(std::size_t shard) noexcept;
  [[nodiscard]] static bool is_marked(const StepResult& result) noexcept { return result.weight < 0; }
  // Throws the failure of the lowest rank on every rank. Collective.
  void tell_batch_failure();

  // What to do with a step that is not finite (divergence.cpp). Collective. `updated`: some weights have changed.
  void meet_not_finite(Batch& batch, bool updated, StepResult& result);
  [[nodiscard]] std::string find_in_forward_and_backward(Batch& batch);
  [[nodiscard]] std::string find_in_update(Batch& batch);
  [[nodiscard]] std::span<std::span<float>> slots_of(std::size_t block);
  // Arrays beside the weights: the optimizer's, and the average.
  [[nodiscard]] std::size_t num_slots() const noexcept { return optimizer_->slots().size() + (has_ema() ? 1 : 0); }
  [[nodiscard]] CheckpointArrays arrays(const State& state) const;
  [[nodiscard]] Range all_elements() const noexcept { return {0, model_.parameters().arena_size()}; }
  // Adds up what the exchange has waited for; returns the seconds in all.
  double take_waits(StepTimes& times);

  static constexpr std::size_t kShardSums = EnginePlan::kShardSums;

  const Communicator& comm_;
  RunConfig run_;
  Model model_;
  std::unique_ptr<Loss> loss_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Schedule> schedule_;
  std::vector<bool> decays_;  // [parameters]
  double base_lr_;
  ShardPlan plan_;
  std::vector<Block> blocks_;  // of the parameters that are trained
  bool measures_gradient_;     // its norm, before the update
  std::unique_ptr<Exchange> exchange_;
  std::vector<Room> rooms_;          // one, or one an owned shard where the net is of several stages
  std::vector<double> shard_sums_;   // [shards, kShardSums]
  std::vector<double> border_sums_;  // [shards, the most that a border adds up]
  std::vector<std::vector<std::size_t>> border_starts_;  // [borders][ranks + 1] whose part of it begins where
  std::vector<Range> parameter_blocks_;       // [parameters] which blocks are its own; none where it is frozen
  std::vector<double> block_squares_;         // [blocks] sums of squares
  std::vector<double> block_weight_squares_;  // [blocks], where the optimizer needs norms
  std::vector<SquareSums> parameter_norms_;   // [parameters], norms, not squares
  std::vector<std::span<float>> slot_views_;  // [slots]
  std::size_t not_finite_block_;  // the first own block whose weights are not finite; [blocks] where all are
  std::uint32_t notes_ = 0;
  std::uint64_t skipped_ = 0;           // steps in a row
  std::optional<Error> batch_failure_;  // of this step, on this rank
  std::string hosts_;                   // of all ranks, for checkpoints
  Probe probe_;                         // of this rank, for checkpoints
  StepObserver* observer_ = nullptr;    // of a step that is looked at
};

/// Whether the arrays of a checkpoint are those of this net, optimizer and run. Errors: data.
void check_fits(const Model& model, const Optimizer& optimizer, const RunConfig& run, const Checkpoint& read,
                const std::string& path);

}  // namespace lockstep
