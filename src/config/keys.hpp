// Every key of a run file, once: reading, writing, comparing and documenting all walk this list.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "lockstep/run_config.hpp"

namespace lockstep {

/// What a number may be.
enum class Bound { any, positive, not_negative };

/// What is known of a key besides its value.
struct KeyInfo {
  std::string_view name;       ///< "train.batch"
  std::string_view what = {};  ///< what it does, for the documentation
  Bound bound = Bound::any;
  std::span<const std::string_view> choices = {};  ///< the texts it may be; empty: any
  bool may_change = false;                         ///< on resume
};

inline constexpr std::string_view kExchangeNames[] = {"node", "tree", "allreduce"};
inline constexpr std::string_view kWireNames[] = {"float32", "bfloat16"};
inline constexpr std::string_view kOnNonfiniteNames[] = {"stop", "skip"};
inline constexpr std::string_view kLoadNames[] = {"auto", "memory", "stream"};
inline constexpr std::string_view kNormalizeNames[] = {"none", "standard", "minmax"};

/// The one list among the options of types that has a default: betas of adam, adamw and lamb.
inline constexpr std::array kDefaultBetas = {0.9, 0.999};

/// Calls visit(KeyInfo, member) for every key, in the order of the documentation. Run: RunConfig or const RunConfig.
template <class Run, class Visitor>
void visit_keys(Run& run, Visitor&& visit) {
  constexpr Bound positive = Bound::positive;
  constexpr Bound not_negative = Bound::not_negative;
  visit(KeyInfo{"name", "names the run folder, runs/NAME"}, run.name);
  visit(KeyInfo{"seed", "steers starting weights, order of samples and dropout", not_negative}, run.seed);

  // Where a data set lies may change on resume: what counts is its fingerprint.
  visit(KeyInfo{.name = "data.train",
                .what = "training data: \"FILE.h5:/group\", a list, pattern (\"runs/*.h5:/group\") or folder of such, "
                        "which are read as one, or {x = \"FILE\", y = \"FILE\"}, IDX or .npy",
                .may_change = true},
        run.data.train);
  visit(KeyInfo{.name = "data.test", .what = "test data, evaluated after every epoch", .may_change = true},
        run.data.test);
  visit(KeyInfo{"data.normalize",
                "none, standard (mean 0, deviation 1) or minmax (0 to 1), fitted on train; also for regression targets",
                Bound::any, kNormalizeNames},
        run.data.normalize);
  visit(KeyInfo{"data.classes", "number of classes; unset: the file's class list, or the largest label + 1", positive},
        run.data.classes);
  visit(KeyInfo{"data.validation",
                "share of the training samples, from 0 to below 1, that is held out and scored after every epoch; "
                "0: none",
                not_negative},
        run.data.validation);
  visit(KeyInfo{"data.load",
                "memory (once a host), stream (for data larger than memory) or auto: memory up to data.memory_limit",
                Bound::any, kLoadNames},
        run.data.load);
  visit(KeyInfo{.name = "data.memory_limit",
                .what = "training and test data up to this are held in memory where data.load is auto",
                .may_change = true},
        run.data.memory_limit);
  visit(KeyInfo{"data.window", "stream: memory for a shard's samples; half is shuffled, half is read ahead"},
        run.data.window);
  visit(KeyInfo{"data.block",
                "stream: samples that lie together in the file and are read in one go; unset: by window and file",
                positive},
        run.data.block);

  visit(
      KeyInfo{
          "data.window_rows",
          "consecutive rows that make a sample, the oldest first (nothing to do with data.window); 1: each row is one",
          positive},
      run.data.window_rows);
  visit(KeyInfo{"data.window_stride", "rows from the begin of one window of rows to that of the next", positive},
        run.data.window_stride);
  visit(KeyInfo{"data.window_horizon", "rows from the last row of a window to the row of its y; 0: that row's own",
                not_negative},
        run.data.window_horizon);
  visit(KeyInfo{"data.series",
                "a feature, or a data set beside x, whose change of value ends a series, which no window leaves; "
                "unset: only files end one"},
        run.data.series);
  visit(KeyInfo{"data.series_input", "whether data.series, where it is a feature, stays an input"},
        run.data.series_input);

  visit(KeyInfo{"model.loss", "what is made small, with keys of its own"}, run.model.loss);
  visit(KeyInfo{"model.layers",
                "list of {type = ...}, each maybe with a name and inputs, and of {repeat = N, layers = [...]}"},
        run.model.layers);
  visit(KeyInfo{"model.freeze", "names of layers whose parameters stay as they are: [\"dense1\"]"}, run.model.freeze);
  // What a run has started with is in its checkpoints.
  visit(
      KeyInfo{.name = "model.initial",
              .what = "a checkpoint or run folder, from which parameters of the same name and shape are taken to start "
                      "with; not read on resume",
              .may_change = true},
      run.model.initial);

  visit(KeyInfo{"train.batch", "samples of the GLOBAL batch", positive}, run.train.batch);
  visit(KeyInfo{"train.shards",
                "parts of a batch that are computed on their own; unset: the rank count of the first start", positive},
        run.train.shards);
  visit(KeyInfo{"train.epochs", "passes over the training data", positive, {}, true}, run.train.epochs);
  visit(KeyInfo{"train.exchange",
                "node (one set of weights a host), tree (plain and slow, the same bits) or allreduce (one "
                "MPI_Allreduce; bits depend on the rank count)",
                Bound::any, kExchangeNames, true},
        run.train.exchange);
  visit(
      KeyInfo{"train.wire",
              "float32, or bfloat16: gradients go between hosts in half the bytes; bits then depend on which host has "
              "which shards",
              Bound::any, kWireNames, true},
      run.train.wire);
  visit(KeyInfo{.name = "train.overlap",
                .what = "whether hosts exchange while they compute; false only to see what that brings",
                .may_change = true},
        run.train.overlap);
  visit(KeyInfo{"train.threads", "BLAS threads a rank; another count gives other bits", positive, {}, true},
        run.train.threads);
  visit(KeyInfo{"train.on_nonfinite",
                "stop, or skip: leave out a step whose loss or gradient is not finite, with a warning", Bound::any,
                kOnNonfiniteNames, true},
        run.train.on_nonfinite);
  visit(KeyInfo{.name = "train.time_limit",
                .what = "save and stop in time before so long has passed since the start, e.g. \"1h55m\"; auto: before "
                        "the end that Slurm or a launch script gives the job; none",
                .may_change = true},
        run.train.time_limit);
  visit(KeyInfo{"train.stall_timeout",
                "seconds without a sign of life from a rank before the job is ended; 0: never",
                not_negative,
                {},
                true},
        run.train.stall_timeout);
  visit(KeyInfo{"train.audit_every",
                "steps between comparisons of all copies of the weights; 0: none",
                not_negative,
                {},
                true},
        run.train.audit_every);
  visit(KeyInfo{.name = "train.early_stop",
                .what = "{monitor, patience, min_delta, restore_best}, or the patience alone: end the run when a score "
                        "has not improved for so many epochs; unset: never",
                .may_change = true},
        run.train.early_stop);
  visit(KeyInfo{"train.ema",
                "decay, from 0 to below 1, of an exponential moving average of the weights, which is then the net that "
                "is scored and used; 0: none",
                not_negative},
        run.train.ema);

  visit(KeyInfo{"optimizer.type", "how weights follow the gradients, with keys of its own"}, run.optimizer.type);
  visit(KeyInfo{"optimizer.lr", "base learning rate; unset: PyTorch's default, 1e-2 for sgd, 1 for lars, 1e-3 for lamb",
                positive},
        run.optimizer.lr);
  visit(KeyInfo{"optimizer.schedule", "how the rate goes on, by steps or, plateau, by epochs, each with warmup_steps"},
        run.optimizer.schedule);
  visit(KeyInfo{"optimizer.clip_norm", "largest norm of the gradient; 0: no clipping", not_negative},
        run.optimizer.clip_norm);
  visit(KeyInfo{"optimizer.decay_exclude", "kinds of parameters without weight decay, of bias and norm: [\"bias\"]"},
        run.optimizer.decay_exclude);

  visit(KeyInfo{.name = "decision.threshold",
                .what = "the probability above which a binary net of one output answers 1; f1 or youden: the best by "
                        "that on the validation data, when the run ends",
                .may_change = true},
        run.decision.threshold);

  visit(
      KeyInfo{
          "checkpoint.every_epochs", "a checkpoint every so many epochs; 0: none by epochs", not_negative, {}, true},
      run.checkpoint.every_epochs);
  visit(KeyInfo{"checkpoint.every_steps", "a checkpoint every so many steps; 0: none by steps", not_negative, {}, true},
        run.checkpoint.every_steps);
  visit(
      KeyInfo{
          "checkpoint.every_seconds", "a checkpoint every so many seconds; 0: none by time", not_negative, {}, true},
      run.checkpoint.every_seconds);
  visit(
      KeyInfo{
          "checkpoint.keep", "newest checkpoints kept; the best by monitor is kept beside them", positive, {}, true},
      run.checkpoint.keep);
  visit(KeyInfo{.name = "checkpoint.monitor",
                .what = "the score that says which is best, e.g. validation.loss, test.accuracy, test.r2, train.loss; "
                        "auto: that of train.early_stop, else accuracy or loss of the validation data, the test data, "
                        "or train loss, the first there is",
                .may_change = true},
        run.checkpoint.monitor);

  visit(
      KeyInfo{
          "log.every_steps", "a row of steps.csv every so many steps; 0: about ten an epoch", not_negative, {}, true},
      run.log.every_steps);
  visit(KeyInfo{.name = "log.tensorboard",
                .what = "whether losses and scores are also written as event files for TensorBoard",
                .may_change = true},
        run.log.tensorboard);
  visit(KeyInfo{.name = "log.trace",
                .what = "whether a timeline of all ranks is kept, for Perfetto or chrome://tracing: trace.json",
                .may_change = true},
        run.log.trace);
  visit(
      KeyInfo{
          .name = "log.report", .what = "whether report.html is drawn when the run ends or stops", .may_change = true},
      run.log.report);
  visit(KeyInfo{.name = "log.gradient_norm",
                .what = "whether the gradient's norm is measured in every step, also where clip_norm does not need it",
                .may_change = true},
        run.log.gradient_norm);
  visit(KeyInfo{.name = "log.train_scores",
                .what = "whether the training samples are scored after every epoch too, by the weights at its end",
                .may_change = true},
        run.log.train_scores);
}

}  // namespace lockstep
