// Training within another program: a Trainer on the caller's communicator, fed with the caller's samples.
//
// The library never calls MPI_Init or MPI_Finalize, never uses the world communicator by itself, prints nothing and
// installs no signal handlers. Several Trainers may live in one process. Use one from one thread at a time.
//
// An Error that is agreed() has come to every rank, and the Trainer is as it was before the call (after diverged: maybe
// not its weights). Any other, and each of kind comm, leaves the ranks out of step: from then on every call throws comm
// at once, and to destroy the Trainer takes no other rank. So it is where the others give no sign of life for
// run.train.stall_timeout seconds while this rank waits for them; ten times as long where they are on other hosts.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "lockstep/batch.hpp"
#include "lockstep/error.hpp"
#include "lockstep/log.hpp"
#include "lockstep/run_config.hpp"
#include "lockstep/scores.hpp"
#include "lockstep/step_result.hpp"

namespace lockstep {

struct TrainerOptions {
  LogSink log = {};               ///< takes notices and warnings; only rank 0 has any
  std::uint64_t total_steps = 0;  ///< length of the run for schedules that span it; 0: unknown
};

/// This rank's samples of one global batch: the batch is the samples of rank 0, then of rank 1, and so on. Ranks may
/// have unlike numbers of samples, also none. Exactly one of values and labels is given, as the loss needs it.
struct LocalSamples {
  std::span<const float> x;                   ///< [n, inputs]
  std::span<const float> values = {};         ///< [n, targets]; of several, a NaN is a target that is missing
  std::span<const std::int32_t> labels = {};  ///< [n]
  std::span<const float> weights = {};        ///< [n], finite; empty: the samples of this rank count 1 each
};

class Trainer {
 public:
  /// Builds the net of `run` for samples of `inputs` columns, with its starting weights. `run.data`,
  /// run.train.early_stop and the intervals of `run.checkpoint` are not used here: samples are taken as they are given,
  /// normalised or not, until load() brings a net with a normalisation of its own. With run.train.ema, save() keeps the
  /// average; evaluate() and predict() go by the weights of the last step all the same. An unset run.train.shards
  /// becomes the number of ranks. run.model.initial is looked for in the working directory, and rank 0 reads it.
  /// Collective over `comm`, which is duplicated. MPI must be initialised with MPI_THREAD_FUNNELED or more. Errors:
  /// config (the run; more ranks than shards), data (run.model.initial), usage, comm. All but comm are thrown on every
  /// rank; so is what options.log throws.
  Trainer(MPI_Comm comm, const RunConfig& run, std::size_t inputs, TrainerOptions options = {});
  Trainer(Trainer&&) noexcept;
  Trainer& operator=(Trainer&&) noexcept;
  /// Collective, unless the Trainer is out of step or an exception is on its way.
  ~Trainer();

  [[nodiscard]] std::size_t inputs() const;
  [[nodiscard]] std::size_t outputs() const;
  /// Weights in all.
  [[nodiscard]] std::size_t num_parameters() const;
  /// Updates done so far.
  [[nodiscard]] std::uint64_t steps() const;

  /// One synchronous step: forward and backward on every rank's shards, gradients combined, every weight updated.
  /// Collective. Errors: usage (sizes; labels), diverged (loss, gradient or weights are not finite; on every rank,
  /// naming step, layer, shard and samples), comm. What `batch` throws on one rank is thrown on all, with rank and
  /// shard: an Error in its kind, another exception as usage. Nothing has changed then.
  StepResult train_step(Batch& batch);

  /// The same over samples that the ranks hold: a rank's samples are cut into its shards. The weights are the same bits
  /// at another rank count when the shards get the same samples, e.g. when every rank gives its part of one array.
  /// Collective.
  StepResult train_step(const LocalSamples& samples);

  /// Scores over the samples of all ranks. Every rank gets the same; they depend on how the samples lie on the ranks
  /// in the last bits only. Collective. Errors: usage (sizes; no samples at all), data (they weigh 0
  /// or less in all).
  [[nodiscard]] Scores evaluate(const LocalSamples& samples);

  /// Outputs of the net for this rank's rows: of classes logits, of a regression values in the units of the targets.
  /// Shapes: x [n, inputs], outputs [n, outputs].
  /// Not collective. Errors: usage (sizes).
  void predict(std::span<const float> x, std::span<float> outputs) const;

  /// Writes a checkpoint, atomically, from rank 0. Collective. Errors: io, thrown on every rank.
  void save(const std::string& path) const;
  /// Takes weights, optimizer state and step from a checkpoint of the same net and optimizer, and all that belongs to
  /// them: the normalisation, the names of its data, and run.data. From then on train_step(), evaluate() and predict()
  /// take samples in the units of that data and targets in those of its targets, as the program does; save() keeps all
  /// of it. Columns are taken by their place. Nothing is changed unless all of it is right. Collective; rank 0 reads.
  /// Errors: data, thrown on every rank.
  void load(const std::string& path);

  /// Digest over weights, optimizer state and position: equal wherever the bits are. Collective.
  [[nodiscard]] std::string digest() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep
