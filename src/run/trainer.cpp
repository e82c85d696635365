// The public Trainer: an Engine on a duplicate of the caller's communicator.
#include "lockstep/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <optional>
#include <type_traits>

#include "checkpoint/checkpoint.hpp"
#include "comm/patience.hpp"
#include "config/run_file.hpp"
#include "data/normalization.hpp"
#include "feed/run_data.hpp"
#include "net/decision.hpp"
#include "net/kept_normalization.hpp"
#include "run/describe.hpp"
#include "run/warm_start.hpp"
#include "score/evaluation.hpp"
#include "step/engine.hpp"

namespace lockstep {
namespace {

void check_labels(std::span<const std::int32_t> labels, std::size_t outputs) {
  for (const std::int32_t label : labels) {
    if (label < 0 || static_cast<std::size_t>(label) >= outputs) {
      throw Error(ErrorKind::usage, fmt::format("label {} is not in 0 to {}", label, outputs - 1));
    }
  }
}

void check_weights(std::span<const float> weights) {
  for (const float weight : weights) {
    if (!std::isfinite(weight)) throw Error(ErrorKind::usage, fmt::format("a sample has weight {}", weight));
  }
}

// What a rank brings, cut into its shards.
class LocalBatch final : public Batch {
 public:
  LocalBatch(const LocalSamples& samples, std::size_t inputs, Range owned, std::size_t local, std::size_t first,
             std::size_t total, SampleExtras extras)
      : samples_(samples),
        extras_(extras),
        inputs_(inputs),
        owned_(owned),
        local_(local),
        first_(first),
        total_(total) {}

  [[nodiscard]] std::size_t samples() const override { return total_; }
  [[nodiscard]] SampleExtras extras() const override { return extras_; }
  [[nodiscard]] std::size_t rows(std::size_t shard) const override { return range(shard).size(); }
  void gather(std::size_t shard, const BatchRows& rows) override {
    const Range part = range(shard);
    copy_rows(samples_, part, inputs_, rows);
    for (std::size_t i = 0; i < part.size(); ++i) {
      rows.samples[i] = static_cast<std::uint32_t>(first_ + part.begin + i);
    }
  }

  static void copy_rows(const LocalSamples& from, Range part, std::size_t inputs, const BatchRows& to) {
    std::ranges::copy(from.x.subspan(part.begin * inputs, part.size() * inputs), to.x.begin());
    if (to.labels.empty()) {
      const std::size_t targets = part.empty() ? 0 : to.values.size() / part.size();
      std::ranges::copy(from.values.subspan(part.begin * targets, part.size() * targets), to.values.begin());
    } else {
      std::ranges::copy(from.labels.subspan(part.begin, part.size()), to.labels.begin());
    }
    if (to.weights.empty()) return;
    if (from.weights.empty()) {
      std::ranges::fill(to.weights, 1.0F);
    } else {
      std::ranges::copy(from.weights.subspan(part.begin, part.size()), to.weights.begin());
    }
  }

 private:
  [[nodiscard]] Range range(std::size_t shard) const { return part_of(local_, shard - owned_.begin, owned_.size()); }

  const LocalSamples& samples_;
  SampleExtras extras_;
  std::size_t inputs_;
  Range owned_;
  std::size_t local_;  // samples of this rank
  std::size_t first_;  // place of the first of them in the batch
  std::size_t total_;
};

void normalize(const Normalization& normalization, const BatchRows& rows) {
  normalize_rows(normalization.x, rows.x);
  if (!rows.values.empty()) normalize_rows(normalization.y, rows.values);
}

// The caller's batch, in the units of the data, as a net that was trained on normalised numbers takes it. Its labels
// are checked, for the loss takes them for places.
class CallersBatch final : public Batch {
 public:
  CallersBatch(Batch& batch, const Normalization& normalization, std::size_t outputs)
      : batch_(batch), normalization_(normalization), outputs_(outputs) {}

  [[nodiscard]] std::size_t samples() const override { return batch_.samples(); }
  [[nodiscard]] SampleExtras extras() const override { return batch_.extras(); }
  [[nodiscard]] std::size_t rows(std::size_t shard) const override { return batch_.rows(shard); }
  void gather(std::size_t shard, const BatchRows& rows) override {
    batch_.gather(shard, rows);
    check_labels(rows.labels, outputs_);
    check_weights(rows.weights);
    normalize(normalization_, rows);
  }

 private:
  Batch& batch_;
  const Normalization& normalization_;
  std::size_t outputs_;
};

}  // namespace

struct Trainer::Impl {
  Impl(MPI_Comm parent, const RunConfig& run, std::size_t inputs, TrainerOptions given)
      : patience(run.train.stall_timeout),
        options(std::move(given)),
        comm(parent, Communicator::Order::of_parent, {}, &patience) {
    in_step_with_all([&] { build(run, inputs); });
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // All ranks let go together, where they can.
  ~Impl() {
    int finalized = 0;
    const bool over = MPI_Finalized(&finalized) != MPI_SUCCESS || finalized != 0;
    if (std::uncaught_exceptions() > exceptions_at_start) patience.give_up("another error");
    if (!over && !patience.gave_up()) {
      try {
        comm.assemble();
      } catch (const Error& error) {
        patience.give_up(error.what());
      }
    }
    engine.reset();
    patience.watch(nullptr);
    comm.detach();
  }

  // All that communicates goes through here: who has left the others once, by an error that they do not have, waits for
  // them no more.
  template <class Work>
  std::invoke_result_t<Work> in_step_with_all(Work work) {
    patience.expect_none_given_up();
    try {
      return work();
    } catch (const Error& error) {
      if (!error.agreed() || error.kind() == ErrorKind::comm) patience.give_up(error.what());
      throw;
    } catch (const std::exception& error) {
      patience.give_up(error.what());
      throw;
    }
  }

  void build(const RunConfig& run, std::size_t inputs) {
    pulses.emplace(share_pulses(comm));
    patience.watch(&*pulses);
    comm.attach(*pulses->pulses[pulses->own]);
    std::optional<EngineParts> parts;
    comm.together([&] {
      resolved = resolve_run(run, comm.size());
      resolved.data.normalize = "none";  // samples are taken as they are given, and checkpoints say so
      parts.emplace(resolved, inputs, options.total_steps);
      if (options.total_steps == 0 && parts->schedule->spans_run()) {
        throw Error(ErrorKind::config,
                    "optimizer.schedule: it spans the whole run, whose length is unknown; give it a "
                    "length of its own, or TrainerOptions::total_steps");
      }
      if (resolved.optimizer.schedule.type == "plateau") {
        throw Error(ErrorKind::config,
                    "optimizer.schedule: plateau goes by the scores of epochs, which a Trainer does not know; take "
                    "another");
      }
    });
    std::optional<WarmStart> start;
    if (resolved.model.initial) {
      start.emplace(comm, *resolved.model.initial);
      resolved.model.initial = start->path();
      comm.together([&] { start->match(parts->model); });
    }
    EnginePlan plan(comm, resolved, std::move(*parts), 0);
    const std::vector<std::string> notices = exchange_notices(plan);
    engine.emplace(std::move(plan));
    if (start) start->apply(*engine);
    comm.at_root([&] {
      if (!options.log) return;
      if (start) {
        for (const auto& [level, text] : start->texts(&normalization)) tell(level, text);
      }
      for (const std::string& text : notices) tell(LogLevel::notice, text);
    });
  }

  StepResult train_step(const LocalSamples& samples);

  void tell(LogLevel level, const std::string& text) const {
    try {
      options.log(level, text);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw Error(ErrorKind::usage, fmt::format("the log could not take a message: {}", error.what()));
    }
  }

  // Samples of this rank, checked on every rank before anyone communicates.
  std::size_t check(const LocalSamples& samples) const {
    const std::size_t in = engine->model().inputs();
    const std::size_t out = engine->model().outputs();
    const std::size_t n = samples.x.size() / in;
    comm.together([&] {
      const bool labels = engine->loss().targets() == TargetKind::labels;
      if (samples.x.size() != n * in) {
        throw Error(ErrorKind::usage,
                    fmt::format("x holds {} numbers, not a multiple of {} inputs", samples.x.size(), in));
      }
      const std::size_t targets = engine->loss().num_targets(out);
      if (samples.labels.size() != (labels ? n : 0) || samples.values.size() != (labels ? 0 : n * targets)) {
        throw Error(
            ErrorKind::usage,
            fmt::format("{} samples of this loss need {} labels and {} target values, found {} and {}", n,
                        labels ? n : 0, labels ? 0 : n * targets, samples.labels.size(), samples.values.size()));
      }
      if (!samples.weights.empty() && samples.weights.size() != n) {
        throw Error(ErrorKind::usage, fmt::format("{} samples with {} weights", n, samples.weights.size()));
      }
      check_labels(samples.labels, out);
      check_weights(samples.weights);
    });
    return n;
  }

  // Of the samples of all ranks. Collective.
  [[nodiscard]] SampleExtras extras_of(const LocalSamples& samples) const {
    const auto is_missing = [](float value) { return std::isnan(value); };
    const bool several = engine->loss().num_targets(engine->model().outputs()) > 1;
    const std::uint32_t own =
        (samples.weights.empty() ? 0U : 1U) | (several && std::ranges::any_of(samples.values, is_missing) ? 2U : 0U);
    const std::uint32_t all = comm.combine(own);
    return {.weights = (all & 1U) != 0, .missing = (all & 2U) != 0};
  }

  // Settled, for anything may follow, on some ranks alone too.
  StepResult train_step(Batch& batch) {
    CallersBatch callers(batch, normalization, engine->model().outputs());
    const StepResult result = engine->train_step(callers);
    engine->settle();
    return result;
  }

  // By rank 0: whether a checkpoint's numbers are those of this net. Errors: data.
  void check_numbers(const CheckpointInfo& info, const std::string& path) const {
    const Model& model = engine->model();
    const auto inputs = static_cast<std::int64_t>(model.inputs());
    const auto outputs = static_cast<std::int64_t>(model.outputs());
    if (info.inputs != inputs || info.outputs != outputs) {
      throw Error(ErrorKind::data, fmt::format("{} is of a net of {} inputs and {} outputs; this one has {} and {}",
                                               path, info.inputs, info.outputs, inputs, outputs));
    }
    if (!normalization_of(info).y.empty() && !engine->loss().normalizes_targets()) {
      throw Error(
          ErrorKind::data,
          fmt::format("{} is of a net whose targets are normalised values; this one's loss has no such targets", path));
    }
  }

  // By rank 0, as well. A net with as many outputs may have another number of targets.
  void check_targets_of(const CheckpointInfo& info, const std::string& path) const {
    const std::size_t scaled = normalization_of(info).y.scale.size();
    const std::size_t targets = engine->loss().num_targets(engine->model().outputs());
    if (scaled == 0 || scaled == targets) return;
    throw Error(ErrorKind::data,
                fmt::format("{} is of a net for {} targets; this one's loss has {}", path, scaled, targets));
  }

  [[nodiscard]] Net net() const {
    return {engine->model(), engine->loss(), engine->weights(), threshold_of(resolved, engine->info)};
  }

  int exceptions_at_start = std::uncaught_exceptions();
  Patience patience;
  TrainerOptions options;
  Communicator comm;
  std::optional<HostPulses> pulses;
  RunConfig resolved;
  std::optional<Engine> engine;
  Normalization normalization;  // of the checkpoint that was loaded
};

Trainer::Trainer(MPI_Comm comm, const RunConfig& run, std::size_t inputs, TrainerOptions options)
    : impl_(std::make_unique<Impl>(comm, run, inputs, std::move(options))) {}
Trainer::Trainer(Trainer&&) noexcept = default;
Trainer& Trainer::operator=(Trainer&&) noexcept = default;
Trainer::~Trainer() = default;

std::size_t Trainer::inputs() const {
  return impl_->engine->model().inputs();
}
std::size_t Trainer::outputs() const {
  return impl_->engine->model().outputs();
}
std::size_t Trainer::num_parameters() const {
  return impl_->engine->model().parameters().count();
}
std::uint64_t Trainer::steps() const {
  return impl_->engine->info.position.step;
}

StepResult Trainer::train_step(Batch& batch) {
  return impl_->in_step_with_all([&] { return impl_->train_step(batch); });
}

StepResult Trainer::train_step(const LocalSamples& samples) {
  return impl_->in_step_with_all([&] { return impl_->train_step(samples); });
}

StepResult Trainer::Impl::train_step(const LocalSamples& samples) {
  const std::size_t local = check(samples);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(comm.size()), 0);
  counts[static_cast<std::size_t>(comm.rank())] = static_cast<std::int64_t>(local);
  comm.sum(counts);
  std::size_t first = 0;
  std::size_t total = 0;
  for (std::size_t r = 0; r < counts.size(); ++r) {
    if (r == static_cast<std::size_t>(comm.rank())) first = total;
    total += static_cast<std::size_t>(counts[r]);
  }
  if (total == 0) throw Error(ErrorKind::usage, "train_step: no rank has any samples").as_agreed();
  const Range owned = engine->shards().owned(static_cast<std::size_t>(comm.rank()));
  LocalBatch batch(samples, engine->model().inputs(), owned, local, first, total, extras_of(samples));
  return train_step(batch);
}

Scores Trainer::evaluate(const LocalSamples& samples) {
  return impl_->in_step_with_all([&] {
    const std::size_t local = impl_->check(samples);
    const Normalization& normalization = impl_->normalization;
    const TargetUnits units{.shift = normalization.y.shift, .scale = normalization.y.scale};
    return evaluate_local(impl_->comm, impl_->net(), local, impl_->extras_of(samples), units,
                          [&](std::size_t first, const BatchRows& rows) {
                            LocalBatch::copy_rows(samples, {first, first + rows.samples.size()}, inputs(), rows);
                            normalize(normalization, rows);
                          },
                          {.by_order = true});
  });
}

void Trainer::predict(std::span<const float> x, std::span<float> outputs) const {
  impl_->patience.expect_none_given_up();
  lockstep::predict(impl_->net(), impl_->normalization, x, outputs);
}

void Trainer::save(const std::string& path) const {
  impl_->in_step_with_all([&] { impl_->engine->save(path); });
}

void Trainer::load(const std::string& path) {
  impl_->in_step_with_all([&] {
    std::optional<Checkpoint> read;
    impl_->comm.together([&] {
      if (!impl_->comm.is_root()) return;
      read = read_checkpoint(path);
      check_same_parameters(impl_->engine->model().parameters(), read->table, path);
      impl_->check_numbers(read->info, path);
      impl_->check_targets_of(read->info, path);
      (void)parse_run(read->info.run, path + ":/run");  // its data is taken over at the end
    });
    Engine& engine = *impl_->engine;
    engine.load(read ? &*read : nullptr, path);
    engine.info.restored.reset();  // it goes on from what it has
    impl_->normalization = normalization_of(engine.info);
    engine.set_data(parse_run(engine.info.run, path + ":/run").data);  // whose names and normalisation it has
  });
}

std::string Trainer::digest() const {
  return impl_->in_step_with_all([&] { return impl_->engine->digest(); });
}

}  // namespace lockstep
