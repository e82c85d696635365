#include "run/fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <set>

#include "checkpoint/retention.hpp"
#include "config/run_file.hpp"
#include "feed/epoch_batches.hpp"
#include "journal/run_folder.hpp"
#include "journal/run_report.hpp"
#include "journal/stragglers.hpp"
#include "journal/trace.hpp"
#include "run/best_checkpoints.hpp"
#include "run/folder_claim.hpp"
#include "run/prepare.hpp"
#include "run/resume.hpp"
#include "run/saver.hpp"
#include "score/scoring.hpp"
#include "step/engine.hpp"

namespace lockstep {
namespace {

// What ranks tell each other with a step, besides Engine::kNotFinite.
constexpr std::uint32_t kStopWanted = 2;
constexpr std::uint32_t kTimeIsUp = 4;
constexpr std::uint32_t kSaveNow = 8;
constexpr std::uint32_t kFolderTaken = 16;
constexpr std::uint32_t kStop = kStopWanted | kTimeIsUp | kFolderTaken;

class Fit {
 public:
  Fit(const Communicator& comm, const RunConfig& run, const FitOptions& options)
      : comm_(comm),
        options_(options),
        folder_(options.output),
        claim_(comm, folder_, options),
        r_(prepare_run(comm, run, options, folder_.checkpoints())),
        saver_(comm, folder_.checkpoints(), comm.is_root() ? options.log : LogSink{}) {}

  FitSummary run() {
    if (r_.decides) log(LogLevel::notice, "the run is finished; what is left is its decision.threshold");
    if (r_.finished() && !r_.decides && (options_.dry_run || !take_best())) {
      log(LogLevel::notice, fmt::format("the run is finished{}: there is nothing left to do",
                                        r_.steering->stops() ? ", " + r_.steering->why_it_stops() : ""));
      return options_.dry_run ? FitSummary{} : summary(false);
    }
    if (options_.dry_run) return {};
    start();
    try {
      while (!r_.finished() && (notes_ & kStop) == 0) run_epoch();
      claim_.check(info().position.step);
    } catch (const Error& error) {
      if (!error.agreed()) throw;
      saver_.finish();  // here, where it gives signs of life
      if (error.kind() != ErrorKind::diverged) throw;
      if (comm_.is_root()) report({.status = {"diverged", error.what()}});
      throw Error(error.kind(), fmt::format("{}; {}", error.what(), saver_.last_checkpoint(r_.resumed_in))).as_agreed();
    }
    return r_.finished() ? end() : stop();
  }

 private:
  // Rows are kept and a state is saved, should the run folder have been deleted.
  void make_whole() {
    for (const std::string& problem : folder_.last_rows()) warn(problem);
    warn(report_->make_whole());
  }

  // From here on the run folder is written.
  void start() {
    comm_.at_root([&] {
      claim_.complete(r_.resumed);
      if (!r_.resumed && options_.overwrite) remove_checkpoints(folder_.checkpoints());
      folder_.open(format_run(r_.run), info(), r_.run.log.tensorboard);
    });
    batches_ = make_epoch_batch(comm_, r_.data, r_.epoch, r_.run);
    bests_.emplace(comm_, folder_.checkpoints(), saver_, info());
    stragglers_.emplace(comm_);
    if (r_.run.log.trace) trace_.emplace(comm_, folder_.trace(), comm_.is_root() ? options_.log : LogSink{});
    report_.emplace(comm_, options_.output,
                    ReportedRun{r_.run, r_.data, *r_.engine, r_.epoch, r_.total_steps, r_.resumed}, *stragglers_);
    comm_.at_root([&] { report_->begin(); });
    const auto a_tenth = std::max<std::uint64_t>(1, r_.epoch.batches() / 10);
    log_every_ = r_.run.log.every_steps > 0 ? static_cast<std::uint64_t>(r_.run.log.every_steps) : a_tenth;
    if (!r_.resumed) save();
  }

  // Up to the epoch's end, or to where the run is to stop.
  void run_epoch() {
    if (info().position.position < r_.epoch.samples) batches_->start_epoch(info().position.epoch);
    while (info().position.position < r_.epoch.samples) {
      const std::size_t b = info().position.position / r_.epoch.batch;
      const bool last = b + 1 == r_.epoch.batches();
      const double waited = batches_->select(b);
      StepResult step = r_.engine->train_step(*batches_, wishes(last));
      step.times.input = waited;
      notes_ = r_.engine->notes();
      info().position.position += step.samples;
      count(step);
      if ((notes_ & kFolderTaken) != 0) return;
      tell(step, last);
      if (due(r_.run.train.audit_every, step.step)) r_.engine->audit();
      if (!last && (due(r_.run.checkpoint.every_steps, step.step) || (notes_ & kSaveNow) != 0)) save();
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
    const bool scores = last_of_epoch && scores_splits(r_.run, r_.data);
    if (r_.deadline->is_near(saver_.expected_seconds(*r_.engine), scores)) notes |= kTimeIsUp;
    if (claim_.is_lost()) notes |= kFolderTaken;
    if (claim_.came_back()) {
      make_whole();
      notes |= kSaveNow;
    }
    if (r_.run.checkpoint.every_seconds > 0 && saver_.age() >= r_.run.checkpoint.every_seconds) notes |= kSaveNow;
    return notes;
  }

  void count(const StepResult& step) {
    EpochSums& sums = info().sums;
    r_.deadline->saw_step(step.times.total());
    stragglers_->add(step.times,
                     r_.engine->shards().rows_of(step.samples, static_cast<std::size_t>(comm_.rank())).size());
    if (step.skipped.empty()) {
      sums.loss_sum += step.loss * step.weight;
      sums.samples += step.samples;
      sums.weight += step.weight_sum;
    }
    sums.seconds += step.times.total();
    sums.total_seconds += step.times.total();
    samples_here_ += static_cast<double>(step.samples);
    seconds_here_ += step.times.total();
    communication_here_ += step.times.communication;
  }

  void tell(const StepResult& step, bool last_of_epoch) {
    if (!step.skipped.empty()) log(LogLevel::warning, fmt::format("step {} is left out: {}", step.step, step.skipped));
    const bool logs = step.step % log_every_ == 0 || last_of_epoch;
    if (logs) tell_times(stragglers_->next(step.step));
    if (!comm_.is_root()) return;
    if (logs) {
      const During writing(comm_.pulse(), Phase::writing);
      warn(folder_.add_step(step, info().position.epoch + 1, rate()));
    }
    if (options_.observer != nullptr) options_.observer->on_step(step, progress());
  }

  void tell_times(const std::optional<TimesRow>& row) {
    if (row) warn(folder_.add_times(*row));
    if (row && !row->warning.empty()) log(LogLevel::warning, row->warning);
  }

  // Rows that cannot be written are kept, so the run goes on.
  void warn(const std::string& problem) {
    if (!problem.empty()) log(LogLevel::warning, problem + "; the rows are kept and tried again");
  }

  void finish_epoch() {
    scores_.train_loss = epoch_loss();
    const auto start = std::chrono::steady_clock::now();
    score_splits(*r_.engine, r_.data, r_.wishes, scores_);
    scored_ = {.step = info().position.step, .epoch = info().position.epoch + 1};
    r_.deadline->saw_scoring(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    FitProgress at_end = progress();
    ++info().position.epoch;
    info().position.position = 0;
    add_history(info(), r_.engine->learning_rate(info().position.step - 1), scores_);
    info().sums = EpochSums{.total_seconds = info().sums.total_seconds};
    r_.steering->follow(info().history);
    r_.engine->set_base_lr(r_.steering->base_lr());
    tell_missing_scores();
    const bool improved = is_new_best();
    at_end.last_epoch = r_.finished();
    if (comm_.is_root()) warn(folder_.add_epoch(info().history));
    if (comm_.is_root() && options_.observer != nullptr) options_.observer->on_epoch(at_end, scores_);
    if (r_.finished()) return;  // the last state is saved by end(), which may take that of the best
    if (improved || due(r_.run.checkpoint.every_epochs, info().position.epoch) ||
        due(r_.run.checkpoint.every_steps, info().position.step) || (notes_ & kSaveNow) != 0)
      save();
    notes_ |= comm_.combine(wishes(false));  // the scoring may have been long
  }

  // Whether the epoch that has ended is the best so far, of those whose state is on the disk.
  bool is_new_best() {
    bests_->look();
    bests_->agree();
    const Monitor& monitor = r_.steering->best();
    const double value = monitor.value(info().history, info().history.num_rows() - 1);
    const bool improved = monitor.better(value, info().best ? std::optional(info().best->value) : std::nullopt);
    if (improved) bests_->add({monitor.name(), value, info().position.step, info().position.epoch});
    return improved;
  }

  void tell_missing_scores() {
    for (const Monitor& monitor : r_.steering->monitors()) {
      if (!std::isnan(monitor.value(info().history, info().history.num_rows() - 1))) continue;
      if (!missing_.insert(monitor.name()).second) continue;
      log(LogLevel::warning,
          fmt::format("epoch {} has no {}, or none that is a number: such an epoch is never the best, and early "
                      "stopping does not count it; this is told once",
                      info().position.epoch, monitor.name()));
    }
  }

  // Takes the state of the best checkpoint, where a run that has ended is to. Whether it has.
  bool take_best() {
    const auto& best = info().best;
    if (!r_.steering->restores_best() || info().restored) return false;
    if (!best || best->step == info().position.step) {
      const std::optional<double> here = best ? std::optional(best->value) : std::nullopt;
      const bool lost = bests_ && bests_->lost() && r_.steering->best().better(bests_->lost()->value, here);
      if (lost) tell_no_best(bests_->lost()->step, "it is not on the disk");
      return false;
    }
    saver_.finish();
    try {
      restore_best(*r_.engine, folder_.checkpoints());
    } catch (const Error& error) {
      if (!error.agreed() || error.kind() == ErrorKind::comm) throw;
      tell_no_best(best->step, error.what());
      return false;
    }
    score_end(*r_.engine, r_.data, r_.wishes, scores_);
    log(LogLevel::notice,
        fmt::format("the run ends with the state of its best checkpoint, of epoch {} (step {}): {} {:.6g}", best->epoch,
                    best->step, best->monitor, best->value));
    return true;
  }

  void tell_no_best(std::uint64_t step, const std::string& why) {
    log(LogLevel::warning, fmt::format("the run ends with its last state: that of its best checkpoint, of step {}, "
                                       "cannot be taken: {}",
                                       step, why));
  }

  // A checkpoint names the best of those that are there, which it may be itself.
  void save() {
    saver_.save(*r_.engine, r_.run.checkpoint, [this] { bests_->look(info().position.step); });
  }

  // The run is done: its last state is on the disk, or that is told.
  FitSummary end() {
    if (r_.steering->stops()) {
      log(LogLevel::notice, fmt::format("{}: early stopping ends the run after epoch {} of {}",
                                        r_.steering->why_it_stops(), info().position.epoch, r_.run.train.epochs));
    }
    saver_.finish();
    bests_->look(info().position.step);
    bests_->agree();
    if (!take_best() && r_.decides) score_end(*r_.engine, r_.data, r_.wishes, scores_);
    if (const auto told = decide(*r_.engine, r_.data, r_.wishes, scores_)) log(told->level, told->text);
    save_at_last();
    FitSummary result = summary(true);
    const bool lost = comm_.is_root() && !saver_.has(info().position.step);
    if (comm_.is_root()) {
      comm_.pulse().enter(Phase::writing);
      for (const std::string& problem : folder_.last_rows())
        log(LogLevel::warning, problem + "; its last rows are lost");
      if (lost) result.failure = saver_.lost_state(info().position.step, r_.resumed_in);
      try {
        folder_.write_summary(result);
      } catch (const Error& error) {
        if (result.failure.empty()) result.failure = error.what();
      }
    }
    std::string why = result.failure;
    if (why.empty() && result.stopped_early) why = "early stopping: " + r_.steering->why_it_stops();
    report({.status = {lost ? "unsaved" : "finished", why}, .summary = &result});
    result.failure = comm_.broadcast_text(result.failure);
    return result;
  }

  FitSummary stop() {
    save_at_last();
    if (comm_.is_root()) make_whole();
    FitSummary result = summary(false);
    result.stopped = true;
    if (comm_.is_root() && !saver_.has(info().position.step))
      result.failure = saver_.lost_state(info().position.step, r_.resumed_in);
    const std::string why = (notes_ & kStopWanted) != 0 ? "a signal" : r_.deadline->source();
    const bool saved = result.failure.empty();
    report({.status = {saved ? "stopped" : "unsaved", saved ? "by " + why : result.failure}, .summary = &result});
    result.failure = comm_.broadcast_text(result.failure);
    if (result.failure.empty()) {
      log(LogLevel::notice, fmt::format("{} stops the run after step {} of {}; saved in {}, go on with --resume", why,
                                        info().position.step, r_.total_steps, result.checkpoint));
    }
    return result;
  }

  void report(RunEnd end) {
    comm_.pulse().enter(Phase::writing);
    end.scored = scored_;
    for (const std::string& problem : report_->end(end))
      log(LogLevel::warning, problem + "; lockstep report draws what there is");
  }

  // Once more where the last try has failed meanwhile.
  void save_at_last() {
    tell_times(stragglers_->next(info().position.step));  // of steps since the last row
    tell_times(stragglers_->finish());
    saver_.finish();
    save();
    saver_.finish();
    bests_->look();
    bests_->agree();
    if (trace_) trace_->write();
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
    s.shards = *r_.run.train.shards;
    s.parameters = r_.engine->model().parameters().count();
    s.exchange = r_.run.train.exchange;
    s.wire = r_.run.train.wire;
    s.same_bits_at_any_rank_count = r_.engine->exchange().same_bits_at_any_rank_count();
    s.digest = r_.engine->digest();
    s.scores = scores_;
    s.best = info().best;
    s.stopped_early = r_.finished() && r_.steering->stops();
    s.restored = info().restored;
    s.decision = info().decision;
    s.checkpoint = saver_.newest();
    s.checkpoint_seconds = saver_.seconds();
    s.checkpoint_stall_seconds = saver_.stall_seconds();
    s.trained = trained;
    return s;
  }

  FitProgress progress() {
    const double left = static_cast<double>(r_.total_steps - info().position.step) *
                        static_cast<double>(r_.epoch.samples) / static_cast<double>(r_.epoch.batches());
    return {.total_steps = r_.total_steps,
            .epoch = info().position.epoch + 1,
            .epochs = static_cast<std::uint64_t>(r_.run.train.epochs),
            .epoch_loss = epoch_loss(),
            .samples_per_second = rate(),
            .seconds_left = rate() > 0 ? left / rate() : 0};
  }

  [[nodiscard]] static bool due(std::int64_t every, std::uint64_t count) {
    return every > 0 && count % static_cast<std::uint64_t>(every) == 0;
  }
  [[nodiscard]] double epoch_loss() { return info().sums.loss_sum / info().sums.weight; }
  [[nodiscard]] double rate() const { return seconds_here_ > 0 ? samples_here_ / seconds_here_ : 0; }
  [[nodiscard]] CheckpointInfo& info() { return r_.info(); }

  void log(LogLevel level, const std::string& text) const {
    if (comm_.is_root() && options_.log) options_.log(level, text);
  }

  const Communicator& comm_;
  const FitOptions& options_;
  RunFolder folder_;
  FolderClaim claim_;
  PreparedRun r_;  // its data go after the batches that look at them
  std::uint64_t log_every_ = 1;
  std::unique_ptr<EpochBatch> batches_;
  EpochScores scores_;    // of the last epoch
  Position scored_ = {};  // where they were taken
  std::optional<Stragglers> stragglers_;
  std::optional<RunReport> report_;
  Saver saver_;
  std::optional<BestCheckpoints> bests_;
  std::set<std::string> missing_;  // scores that an epoch did not have, which was told
  std::uint32_t notes_ = 0;        // of all ranks, see Engine::notes
  double samples_here_ = 0;        // of this start
  double seconds_here_ = 0;
  double communication_here_ = 0;
  std::optional<Trace> trace_;
};

}  // namespace

FitSummary fit(const Communicator& comm, const RunConfig& run, const FitOptions& options) {
  return Fit(comm, run, options).run();
}

}  // namespace lockstep
