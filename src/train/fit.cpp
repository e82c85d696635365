#include "train/fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "checkpoint/retention.hpp"
#include "config/run_file.hpp"
#include "train/dataset_batch.hpp"
#include "train/deadline.hpp"
#include "train/describe.hpp"
#include "train/engine.hpp"
#include "train/evaluation.hpp"
#include "train/monitor.hpp"
#include "train/resume.hpp"
#include "train/run_data.hpp"
#include "train/run_folder.hpp"
#include "train/saver.hpp"
#include "train/stragglers.hpp"

namespace lockstep {
namespace {

// What ranks tell each other with a step, besides Engine::kNotFinite.
constexpr std::uint32_t kStopWanted = 2;
constexpr std::uint32_t kTimeIsUp = 4;
constexpr std::uint32_t kStop = kStopWanted | kTimeIsUp;
constexpr std::uint32_t kSaveNow = 8;

class Fit {
 public:
  Fit(const Communicator& comm, const RunConfig& run, const FitOptions& options)
      : comm_(comm),
        run_(run),
        options_(options),
        folder_(options.output),
        saver_(comm, folder_.checkpoints(), comm.is_root() ? options.log : LogSink{}) {}

  FitSummary run() {
    look_for_checkpoints();
    prepare();
    restore();
    describe();
    if (options_.dry_run || finished()) return summary(false);
    start();
    try {
      while (!finished() && (notes_ & kStop) == 0) run_epoch();
    } catch (const Error& error) {
      if (!error.agreed()) throw;
      saver_.finish();  // here, where it gives signs of life
      if (error.kind() != ErrorKind::diverged) throw;
      throw Error(error.kind(), fmt::format("{}; {}", error.what(), last_checkpoint())).as_agreed();
    }
    return finished() ? end() : stop();
  }

 private:
  // 1. What the folder holds decides whether this is a fresh start.
  void look_for_checkpoints() {
    on_root([&] {
      const bool any = !list_checkpoints(folder_.checkpoints()).empty();
      if (options_.resume) {
        comm_.pulse().enter(Phase::reading);
        found_ = find_newest_good(folder_.checkpoints(), run_, [this] { comm_.pulse().beat(); });
      } else if (any && !options_.overwrite) {
        throw Error(ErrorKind::config,
                    fmt::format("{} already holds checkpoints: go on with --resume, start afresh with "
                                "--overwrite, or choose another folder with --output",
                                options_.output));
      }
    });
    for (const std::string& text : found_.skipped) log(LogLevel::warning, text);
    kept_ = share_info(comm_, found_.checkpoint ? &*found_.checkpoint : nullptr, options_.output);
    if (options_.resume && !kept_) {
      log(LogLevel::notice, fmt::format("no checkpoint to resume from in {}: starting afresh", folder_.checkpoints()));
    }
  }

  // 2. Everything that can be wrong with run, data and net, before anything is changed.
  void prepare() {
    std::vector<std::string> notices;
    std::unique_ptr<Loss> loss;
    comm_.together([&] {
      if (kept_) check_resumable(*kept_, run_, options_.output, notices);
      run_ = resolve_run(run_, comm_.size());
      loss = make_loss(run_.model.loss);
    });
    data_ = read_run_data(comm_, run_.data, *loss);
    std::optional<EngineParts> parts;
    comm_.together([&] {
      deadline_.emplace(run_.train.time_limit, options_.started);
      epoch_ = {data_.train.samples(), static_cast<std::size_t>(run_.train.batch)};
      total_steps_ = count_steps(epoch_, static_cast<std::uint64_t>(run_.train.epochs));
      parts.emplace(run_, data_.train.inputs(), total_steps_);
      check_targets(data_.train, data_.test ? &*data_.test : nullptr, *loss, parts->model.outputs(), run_.data.classes);
      monitor_.emplace(run_.checkpoint.monitor, loss->task(), parts->model.outputs(), data_.test.has_value());
      if (kept_) check_same_fingerprints(*kept_, data_.train, data_.test ? &*data_.test : nullptr);
      if (kept_ && parts->schedule->spans_run() && parse_run(kept_->run, "").train.epochs != run_.train.epochs) {
        notices.emplace_back("the learning-rate schedule spans the whole run: another train.epochs stretches it");
      }
    });
    for (const std::string& text : notices) log(LogLevel::notice, text);
    engine_.emplace(comm_, run_, std::move(*parts));
    engine_->reserve_rows(engine_->shards().max_rows(std::min(epoch_.batch, epoch_.samples)));
    for (const std::string& text : machine_warnings(comm_, static_cast<std::size_t>(run_.train.threads))) {
      log(LogLevel::warning, text);
    }
  }

  // 3. The state to start from: the checkpoint's, or a fresh one.
  void restore() {
    if (kept_) {
      engine_->load(found_.checkpoint ? &*found_.checkpoint : nullptr, found_.path);
      found_.checkpoint.reset();
      for (const std::string& text : machine_differences(engine_->info)) log(LogLevel::warning, text);
      if (info().best && info().best->monitor != monitor_->name()) {  // scores of two kinds do not compare
        log(LogLevel::notice, fmt::format("the best checkpoint so far is by {}: the best by {} is looked for anew",
                                          info().best->monitor, monitor_->name()));
        info().best.reset();
      }
      comm_.together([&] {
        const std::uint64_t at = info().position.position;
        if (at % epoch_.batch != 0 && at != epoch_.samples) {
          throw Error(ErrorKind::data, "the checkpoint's position is not at a batch of this run");
        }
      });
      return;
    }
    begin_info(data_, score_names(engine_->loss().task(), engine_->model().outputs()), info());
  }

  void describe() {
    for (const std::string& text : describe_run(*engine_, data_, epoch_, total_steps_)) log(LogLevel::info, text);
    if (const std::string text = deadline_->describe(); !text.empty()) log(LogLevel::info, text);
    for (const std::string& text : exchange_notices(*engine_)) log(LogLevel::notice, text);
    if (kept_) {
      log(LogLevel::info, fmt::format("resumed from {}: step {}, epoch {}, sample {} of it", found_.path,
                                      info().position.step, info().position.epoch + 1, info().position.position));
    }
    if (kept_ && finished()) log(LogLevel::notice, "the run is finished: there is nothing left to do");
    if (options_.dry_run) log(LogLevel::info, describe_memory(*engine_, data_));
  }

  // 4. From here on the run folder is written.
  void start() {
    on_root([&] {
      if (!kept_ && options_.overwrite) remove_checkpoints(folder_.checkpoints());
      folder_.open(format_run(run_), info());
    });
    batches_.emplace(data_.train, data_.normalization, epoch_, engine_->shards(),
                     static_cast<std::uint64_t>(run_.seed));
    stragglers_.emplace(comm_);
    const auto a_tenth = std::max<std::uint64_t>(1, epoch_.batches() / 10);
    log_every_ = run_.log.every_steps > 0 ? static_cast<std::uint64_t>(run_.log.every_steps) : a_tenth;
    if (!kept_) save();
  }

  // Up to the epoch's end, or to where the run is to stop.
  void run_epoch() {
    if (info().position.position < epoch_.samples) batches_->start_epoch(info().position.epoch);
    while (info().position.position < epoch_.samples) {
      const std::size_t b = info().position.position / epoch_.batch;
      const bool last = b + 1 == epoch_.batches();
      batches_->select(b);
      const StepResult step = engine_->train_step(*batches_, wishes(last));
      notes_ = engine_->notes();
      info().position.position += step.samples;
      count(step);
      tell(step, last);
      if (due(run_.train.audit_every, step.step)) engine_->audit();
      if (!last && (due(run_.checkpoint.every_steps, step.step) || (notes_ & kSaveNow) != 0)) save();
      saver_.poll();
      if ((notes_ & kStop) != 0) return;
    }
    finish_epoch();
  }

  // What this rank has to say to all with the next step.
  std::uint32_t wishes(bool last_of_epoch) {
    std::uint32_t notes = 0;
    if (options_.stop_wanted && options_.stop_wanted()) notes |= kStopWanted;
    if (!comm_.is_root()) return notes;
    const bool scores = last_of_epoch && data_.test.has_value();
    if (deadline_->is_near(saver_.expected_seconds(*engine_), scores)) notes |= kTimeIsUp;
    if (run_.checkpoint.every_seconds > 0 && saver_.age() >= run_.checkpoint.every_seconds) notes |= kSaveNow;
    return notes;
  }

  void count(const StepResult& step) {
    EpochSums& sums = info().sums;
    deadline_->saw_step(step.times.total());
    stragglers_->add(step.times,
                     engine_->shards().rows_of(step.samples, static_cast<std::size_t>(comm_.rank())).size());
    if (step.skipped.empty()) {
      sums.loss_sum += step.loss * static_cast<double>(step.samples);
      sums.samples += step.samples;
    }
    sums.seconds += step.times.total();
    sums.total_seconds += step.times.total();
    samples_here_ += static_cast<double>(step.samples);
    seconds_here_ += step.times.total();
    communication_here_ += step.times.communication;
  }

  void tell(const StepResult& step, bool last_of_epoch) {
    if (!step.skipped.empty()) {
      log(LogLevel::warning, fmt::format("step {} is left out: {}", step.step, step.skipped));
    }
    const bool logs = step.step % log_every_ == 0 || last_of_epoch;
    if (logs) tell_times(stragglers_->next(step.step));
    if (!comm_.is_root()) return;
    if (logs) {
      comm_.pulse().enter(Phase::writing);
      warn(folder_.add_step(step, info().position.epoch + 1, rate()));
    }
    if (options_.observer != nullptr) options_.observer->on_step(step, progress());
  }

  void tell_times(const std::optional<TimesRow>& row) {
    if (!row) return;
    warn(folder_.add_times(*row));
    if (row->slowest_host.empty() || row->slowest_host == slow_host_) return;
    slow_host_ = row->slowest_host;
    log(LogLevel::warning, slow_host_text(*row));
  }

  // Rows that cannot be written are kept, so the run goes on.
  void warn(const std::string& problem) {
    if (!problem.empty()) log(LogLevel::warning, problem + "; the rows are kept and tried again");
  }

  void finish_epoch() {
    train_loss_ = epoch_loss();
    test_.reset();
    if (data_.test) {
      const auto start = std::chrono::steady_clock::now();
      comm_.pulse().enter(Phase::scoring);
      engine_->settle();
      test_ = evaluate(comm_, net(), *data_.test, data_.normalization);
      deadline_->saw_scoring(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    const FitProgress at_end = progress();
    ++info().position.epoch;
    info().position.position = 0;
    add_history(info(), *run_.optimizer.lr * engine_->schedule().factor(info().position.step - 1), train_loss_, test_);
    info().sums = EpochSums{.total_seconds = info().sums.total_seconds};
    const double value = monitor_->value(train_loss_, test_);
    const bool improved = monitor_->better(value, info().best ? std::optional(info().best->value) : std::nullopt);
    if (improved) info().best = Best{monitor_->name(), value, info().position.step, info().position.epoch};
    if (comm_.is_root()) warn(folder_.add_epoch(info().history));
    if (comm_.is_root() && options_.observer != nullptr) options_.observer->on_epoch(at_end, train_loss_, test_);
    if (improved || finished() || due(run_.checkpoint.every_epochs, info().position.epoch) ||
        due(run_.checkpoint.every_steps, info().position.step) || (notes_ & kSaveNow) != 0) {
      save();
    }
    if (!finished()) notes_ |= comm_.combine(wishes(false));  // the scoring may have been long
  }

  void save() { saver_.save(*engine_, run_.checkpoint); }

  // The run is done: its last state is on the disk, or that is told.
  FitSummary end() {
    save_at_last();
    FitSummary result = summary(true);
    if (comm_.is_root()) {
      comm_.pulse().enter(Phase::writing);
      for (const std::string& problem : folder_.last_rows())
        log(LogLevel::warning, problem + "; its last rows are lost");
      if (!saver_.has(info().position.step)) result.failure = lost_state();
      try {
        folder_.write_summary(result);
      } catch (const Error& error) {
        if (result.failure.empty()) result.failure = error.what();
      }
    }
    result.failure = comm_.broadcast_text(result.failure);
    return result;
  }

  FitSummary stop() {
    save_at_last();
    FitSummary result = summary(false);
    result.stopped = true;
    if (comm_.is_root() && !saver_.has(info().position.step)) result.failure = lost_state();
    result.failure = comm_.broadcast_text(result.failure);
    if (result.failure.empty()) {
      const std::string why = (notes_ & kStopWanted) != 0 ? "a signal" : deadline_->source();
      log(LogLevel::notice, fmt::format("{} stops the run after step {} of {}; saved in {}, go on with --resume", why,
                                        info().position.step, total_steps_, result.checkpoint));
    }
    return result;
  }

  // Once more where the last try has failed meanwhile.
  void save_at_last() {
    tell_times(stragglers_->finish());
    saver_.finish();
    save();
    saver_.finish();
  }

  [[nodiscard]] std::string lost_state() {
    return fmt::format("the state after step {} could not be saved: {}; {}", info().position.step, saver_.last_error(),
                       last_checkpoint());
  }

  [[nodiscard]] std::string last_checkpoint() const {
    const std::string& last = saver_.newest().empty() ? found_.path : saver_.newest();
    return last.empty() ? "there is no checkpoint" : "the last checkpoint is " + last;
  }

  FitSummary summary(bool trained) {
    FitSummary s;
    s.steps = info().position.step;
    s.epochs = info().position.epoch;
    s.seconds = info().sums.total_seconds;
    s.samples_per_second = rate();
    s.step_seconds = seconds_here_;
    s.communication_seconds = communication_here_;
    s.ranks = comm_.size();
    s.nodes = comm_.nodes();
    s.shards = *run_.train.shards;
    s.parameters = engine_->model().parameters().count();
    s.exchange = run_.train.exchange;
    s.wire = run_.train.wire;
    s.same_bits_at_any_rank_count = engine_->exchange().same_bits_at_any_rank_count();
    s.digest = engine_->digest();
    s.train_loss = train_loss_;
    s.test = test_;
    s.best = info().best;
    s.checkpoint = saver_.newest();
    s.checkpoint_seconds = saver_.seconds();
    s.checkpoint_stall_seconds = saver_.stall_seconds();
    s.trained = trained;
    return s;
  }

  FitProgress progress() {
    const double left = static_cast<double>(total_steps_ - info().position.step) * static_cast<double>(epoch_.samples) /
                        static_cast<double>(epoch_.batches());
    return {total_steps_, info().position.epoch + 1,     static_cast<std::uint64_t>(run_.train.epochs), epoch_loss(),
            rate(),       rate() > 0 ? left / rate() : 0};
  }

  [[nodiscard]] bool finished() { return info().position.epoch >= static_cast<std::uint64_t>(run_.train.epochs); }
  [[nodiscard]] static bool due(std::int64_t every, std::uint64_t count) {
    return every > 0 && count % static_cast<std::uint64_t>(every) == 0;
  }
  [[nodiscard]] double epoch_loss() { return info().sums.loss_sum / static_cast<double>(info().sums.samples); }
  [[nodiscard]] double rate() const { return seconds_here_ > 0 ? samples_here_ / seconds_here_ : 0; }
  [[nodiscard]] CheckpointInfo& info() { return engine_->info; }
  [[nodiscard]] Net net() const { return {engine_->model(), engine_->loss(), engine_->weights()}; }

  // What rank 0 does alone: if it fails, all ranks throw.
  void on_root(FunctionRef<void()> work) const {
    comm_.together([&] {
      if (comm_.is_root()) work();
    });
  }
  void log(LogLevel level, const std::string& text) const {
    if (comm_.is_root() && options_.log) options_.log(level, text);
  }

  const Communicator& comm_;
  RunConfig run_;
  const FitOptions& options_;
  RunFolder folder_;
  FoundCheckpoint found_;               // rank 0
  std::optional<CheckpointInfo> kept_;  // of the checkpoint to go on from, on every rank
  RunData data_;                        // goes after the batches that look at it; on all ranks at once
  EpochPlan epoch_;
  std::uint64_t total_steps_ = 0;
  std::uint64_t log_every_ = 1;
  std::optional<Monitor> monitor_;
  std::optional<Engine> engine_;
  std::optional<DatasetBatch> batches_;
  double train_loss_ = std::numeric_limits<double>::quiet_NaN();
  std::optional<Scores> test_;
  std::optional<Deadline> deadline_;
  std::optional<Stragglers> stragglers_;
  std::string slow_host_;  // that was told of
  Saver saver_;
  std::uint32_t notes_ = 0;  // of all ranks, see Engine::notes
  double samples_here_ = 0;  // of this start
  double seconds_here_ = 0;
  double communication_here_ = 0;
};

}  // namespace

FitSummary fit(const Communicator& comm, const RunConfig& run, const FitOptions& options) {
  return Fit(comm, run, options).run();
}

}  // namespace lockstep
