#include "run/prepare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "checkpoint/retention.hpp"
#include "config/run_file.hpp"
#include "data/sample_weights.hpp"
#include "data/window_reader.hpp"
#include "feed/load_choice.hpp"
#include "io/folder_lock.hpp"
#include "model/class_weights.hpp"
#include "net/decision.hpp"
#include "run/describe.hpp"
#include "run/resume.hpp"
#include "run/run_notices.hpp"
#include "run/warm_start.hpp"
#include "score/evaluation.hpp"
#include "step/shared_info.hpp"

namespace lockstep {
namespace {

class Preparation {
 public:
  Preparation(const Communicator& comm, const RunConfig& run, const FitOptions& options, const std::string& checkpoints)
      : comm_(comm), options_(options), checkpoints_(checkpoints) {
    r_.run = run;
  }

  PreparedRun make() {
    look_for_checkpoints();
    check();
    kept_ ? go_on() : begin();
    check_monitors();
    describe();
    r_.resumed = kept_.has_value();
    r_.resumed_in = found_.path;
    if (options_.dry_run) {
      look_whether_it_fits();
    } else {
      take_memory();
    }
    return std::move(r_);
  }

 private:
  // 1. What the folder holds decides whether this is a fresh start.
  void look_for_checkpoints() {
    comm_.at_root([&] {
      const bool any = !list_checkpoints(checkpoints_).empty();
      if (options_.resume) {
        comm_.pulse().enter(Phase::reading);
        found_ = find_newest_good(checkpoints_, r_.run, [this] { comm_.pulse().beat(); });
      } else if (any && !options_.overwrite) {
        if (!options_.dry_run) throw Error(ErrorKind::config, holds_checkpoints(options_.output));
        would_be_refused(holds_checkpoints(options_.output));
      } else if (any && options_.dry_run) {
        log(LogLevel::notice, fmt::format("a start would remove the checkpoints in {}", checkpoints_));
      }
      if (!options_.dry_run) return;
      if (const auto held = find_holder(options_.output)) would_be_refused(*held);
    });
    for (const std::string& text : found_.skipped) log(LogLevel::warning, text);
    kept_ = share_info(comm_, found_.checkpoint ? &*found_.checkpoint : nullptr, options_.output);
    if (options_.resume && !kept_) {
      log(LogLevel::notice, fmt::format("no checkpoint to resume from in {}: starting afresh", checkpoints_));
    }
    if (!kept_ && r_.run.model.initial) {
      start_.emplace(comm_, *r_.run.model.initial);
      r_.run.model.initial = start_->path();
    }
  }

  // 2. Everything that can be wrong with run, data and net, before anything is changed.
  void check() {
    std::vector<std::string> notices;
    std::unique_ptr<Loss> loss;
    const Component loss_as_written = r_.run.model.loss;
    comm_.together([&] {
      if (kept_) check_resumable(*kept_, r_.run, options_.output, notices);
      r_.run = resolve_run(r_.run, comm_.size());
      loss = make_loss(r_.run.model.loss);
    });
    resolve_load(comm_, r_.run, notices);
    for (const std::string& text : std::exchange(notices, {})) log(LogLevel::notice, text);
    const KnownNames known = kept_ ? known_names(*kept_, *loss, "the run in " + options_.output) : KnownNames{};
    r_.data = read_run_data(
        comm_, r_.run, *loss, [this](const std::string& text) { log(LogLevel::info, text); }, known);
    for (const std::string& text : r_.data.notices) log(LogLevel::notice, text);
    std::optional<EngineParts> parts;
    comm_.together([&] {
      balance_classes(loss_as_written);
      r_.deadline.emplace(r_.run.train.time_limit, options_.started);
      r_.epoch = {.samples = r_.data.train_samples(), .batch = static_cast<std::size_t>(r_.run.train.batch)};
      r_.total_steps = count_steps(r_.epoch, static_cast<std::uint64_t>(r_.run.train.epochs));
      parts.emplace(r_.run, r_.data.train.inputs(), r_.total_steps);
      if (start_) start_->match(parts->model);
      check_targets(r_.data.train, r_.data.test ? &*r_.data.test : nullptr, *loss, parts->model.outputs(),
                    r_.run.data.classes);
      for (const auto& [rows, what] :
           {std::pair{&r_.data.split.train, "training sample"}, {&r_.data.split.validation, "validation sample"}}) {
        if (!rows->empty()) check_some_weight(r_.data.train, *parts->loss, *rows, what);
      }
      check_decision(r_.run, *loss, parts->model.outputs());
      r_.steering.emplace(r_.run, *loss, parts->model.outputs());
      r_.wishes = score_wishes(r_.run, r_.data, *loss, parts->model.outputs(), r_.steering->monitors());
      if (kept_) check_same_fingerprints(*kept_, r_.data.train, r_.data.test ? &*r_.data.test : nullptr);
      if (kept_ && parts->schedule->spans_run() && parse_run(kept_->run, "").train.epochs != r_.run.train.epochs) {
        notices.emplace_back("the learning-rate schedule spans the whole run: another train.epochs stretches it");
      }
    });
    for (const std::string& text : notices) log(LogLevel::notice, text);
    const ShardPlan shards{.shards = static_cast<std::size_t>(*r_.run.train.shards),
                           .ranks = static_cast<std::size_t>(comm_.size())};
    plan_.emplace(comm_, r_.run, std::move(*parts), shards.max_rows(std::min(r_.epoch.batch, r_.epoch.samples)));
    for (const std::string& text : machine_warnings(comm_, *plan_->parts.model.compute())) {
      log(LogLevel::warning, text);
    }
  }

  // class_weights = "balanced" becomes numbers, which checkpoints keep.
  void balance_classes(Component loss) {
    if (!wants_balance(loss)) return;
    const Dataset* test = r_.data.test ? &*r_.data.test : nullptr;
    const std::size_t classes = count_classes(r_.data.train, test, r_.run.data.classes);
    balance(loss, weigh_labels(r_.data.train, classes, r_.data.split.train), r_.data.train.source);
    if (kept_ && loss != r_.run.model.loss) {
      throw Error(
          ErrorKind::config,
          "model.loss.class_weights: \"balanced\" gives other weights than those that the run was started with, "
          "and they must not change on resume");
    }
    r_.run.model.loss = std::move(loss);
  }

  // 3. Where the run starts: at the checkpoint's place, or at the beginning.
  void go_on() {
    r_.planned = *kept_;
    comm_.together([&] {
      if (found_.checkpoint)
        check_fits(plan_->parts.model, *plan_->parts.optimizer, r_.run, *found_.checkpoint, found_.path);
    });
    complete_names(r_.data.train, r_.info());
    complete_history(r_.wishes, r_.info().history);
    std::vector<std::string> differences;
    comm_.together([&] { differences = machine_differences(r_.info(), *plan_->parts.model.compute()); });
    for (const std::string& text : differences) log(LogLevel::warning, text);
    const std::string& monitor = r_.steering->best().name();
    if (r_.info().best && r_.info().best->monitor != monitor) {  // scores of two kinds do not compare
      log(LogLevel::notice, fmt::format("the best checkpoint so far is by {}: the best by {} is looked for anew",
                                        r_.info().best->monitor, monitor));
      r_.info().best.reset();
    }
    r_.steering->follow(r_.info().history);
    r_.decides = r_.finished() && parse_run(kept_->run, "").decision.threshold != r_.run.decision.threshold;
    if (!r_.finished() || r_.decides) r_.info().decision.reset();  // it is that of a run that has ended so
    comm_.together([&] {
      const std::uint64_t at = r_.info().position.position;
      if ((at % r_.epoch.batch != 0 && at != r_.epoch.samples) || at > r_.epoch.samples) {
        throw Error(ErrorKind::data, "the checkpoint's position is not at a batch of this run");
      }
    });
  }

  void begin() {
    if (start_) {
      for (const auto& [level, text] : start_->texts(&r_.data.normalization, r_.data.names)) log(level, text);
    }
    const Model& model = plan_->parts.model;
    const std::string frozen = frozen_notice(model, start_ ? &*start_ : nullptr);
    if (!frozen.empty()) log(LogLevel::notice, frozen);
    begin_info(r_.data, r_.info());
    r_.info().history.columns = history_columns(r_.wishes);
  }

  // A score that this data never gives can steer nothing.
  void check_monitors() {
    for (const Monitor& monitor : r_.steering->monitors()) {
      const std::string& name = monitor.name();
      const bool of_test = name.starts_with("test.");
      if (!name.ends_with(".r2") && !name.ends_with(".explained_variance")) continue;  // without one there is no other
      const Dataset& data = of_test ? r_.data.test.value() : r_.data.train;
      const RowList rows = of_test ? RowList{} : RowList(r_.data.split.validation);
      const During scoring(comm_.pulse(), Phase::scoring);
      if (has_r2(comm_, *plan_->parts.loss, data, r_.data.normalization, rows)) continue;
      const char* split = of_test ? "test" : "validation";
      const std::size_t samples = of_test ? data.samples() : rows.size();
      throw Error(
          ErrorKind::config,
          fmt::format("{}: {} is never given: {}; name {}.loss, {}.rmse or {}.mae", monitor.key(), monitor.name(),
                      samples == 1 ? fmt::format("there is one {} sample", split)
                                   : fmt::format("a target is the same in all {} samples", split),
                      split, split, split))
          .as_agreed();
    }
  }

  void describe() {
    for (const std::string& text : describe_run(*plan_, r_.data, r_.epoch, r_.total_steps)) log(LogLevel::info, text);
    if (const std::string text = describe_stream(*plan_, r_.data); !text.empty()) log(LogLevel::info, text);
    if (const std::string text = r_.deadline->describe(); !text.empty()) log(LogLevel::info, text);
    for (const std::string& text : exchange_notices(*plan_)) log(LogLevel::notice, text);
    comm_.at_root([&] {
      comm_.pulse().enter(Phase::reading);
      for (const std::string& text : run_notices(*plan_, r_.data, r_.total_steps)) log(LogLevel::notice, text);
    });
    if (kept_) {
      log(LogLevel::info,
          fmt::format("resumed from {}: step {}, epoch {}, sample {} of it", found_.path, r_.info().position.step,
                      r_.info().position.epoch + 1, r_.info().position.position));
    }
    if (options_.dry_run) log(LogLevel::info, describe_memory(*plan_, r_.data, r_.wishes));
  }

  // 4. What takes memory, and what can be said of it without.
  void plan_the_rest() {
    if (checkpoints_.empty()) return;  // only the net is looked at
    // A checkpoint that is held already takes as much as one that will be written; its memory is free by then.
    plan_->makes_checkpoints = !kept_ && !start_;
    // Scores are taken by a workspace of their own.
    plan_->besides = scoring_bytes(*plan_, r_.data, r_.wishes);
    if (!r_.data.stream) return;
    const Range owned = plan_->shards.owned(static_cast<std::size_t>(comm_.rank()));
    plan_->besides += window_bytes(*r_.data.stream, owned.size(), stream_row_bytes(r_.data));
  }

  void look_whether_it_fits() {
    plan_the_rest();
    try {
      plan_->require_memory();
    } catch (const Error& error) {
      if (!error.agreed() || error.kind() != ErrorKind::config) throw;
      would_be_refused(error.what());
    }
  }

  void take_memory() {
    plan_the_rest();
    auto engine = std::make_unique<Engine>(std::move(*plan_));
    if (kept_) engine->take_arrays(found_.checkpoint ? &*found_.checkpoint : nullptr, found_.path);
    if (start_) start_->apply(*engine);
    found_.checkpoint.reset();
    start_.reset();
    if (kept_) engine->set_base_lr(r_.steering->base_lr());
    engine->info = std::move(r_.planned);
    r_.engine = std::move(engine);
  }

  // Of a dry run, which goes on all the same.
  void would_be_refused(const std::string& why) const {
    log(LogLevel::warning, fmt::format("a start would be refused: {}", why));
  }

  void log(LogLevel level, const std::string& text) const {
    if (comm_.is_root() && options_.log) options_.log(level, text);
  }

  const Communicator& comm_;
  const FitOptions& options_;
  const std::string& checkpoints_;
  PreparedRun r_;
  FoundCheckpoint found_;               // rank 0
  std::optional<CheckpointInfo> kept_;  // of the checkpoint to go on from, on every rank
  std::optional<WarmStart> start_;      // what a fresh start takes its weights from
  std::optional<EnginePlan> plan_;      // until the engine is made of it
};

}  // namespace

std::string holds_checkpoints(const std::string& folder) {
  return fmt::format(
      "{} already holds checkpoints: go on with --resume, start afresh with --overwrite, or choose another folder with "
      "--output",
      folder);
}

PreparedRun prepare_run(const Communicator& comm, const RunConfig& run, const FitOptions& options,
                        const std::string& checkpoints) {
  return Preparation(comm, run, options, checkpoints).make();
}

}  // namespace lockstep
