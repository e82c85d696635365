#include "train/fit.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "checkpoint/retention.hpp"
#include "comm/cores.hpp"
#include "config/run_file.hpp"
#include "core/blas.hpp"
#include "core/number_text.hpp"
#include "core/vector_math.hpp"
#include "train/dataset_batch.hpp"
#include "train/engine.hpp"
#include "train/evaluation.hpp"
#include "train/monitor.hpp"
#include "train/resume.hpp"
#include "train/run_data.hpp"
#include "train/run_folder.hpp"

namespace lockstep {
namespace {

class Fit {
 public:
  Fit(const Communicator& comm, const RunConfig& run, const FitOptions& options)
      : comm_(comm), run_(run), options_(options), folder_(options.output) {}

  FitSummary run() {
    look_for_checkpoints();
    prepare();
    restore();
    describe();
    if (options_.dry_run || finished()) return summary(false);
    start();
    while (!finished()) run_epoch();
    FitSummary result = summary(true);
    on_root([&] { folder_.write_summary(result); });
    return result;
  }

 private:
  // 1. What the folder holds decides whether this is a fresh start.
  void look_for_checkpoints() {
    on_root([&] {
      const bool any = !list_checkpoints(folder_.checkpoints()).empty();
      if (options_.resume) {
        found_ = find_newest_good(folder_.checkpoints());
      } else if (any && !options_.overwrite) {
        throw Error(ErrorKind::config,
                    fmt::format("{} already holds checkpoints: go on with --resume, start afresh with "
                                "--overwrite, or choose another folder with --output",
                                options_.output));
      }
    });
    found_.path = comm_.broadcast_text(found_.path);
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
      if (kept_) check_resumable(*kept_, run_, found_.path, notices);
      run_ = resolve_run(run_, comm_.size());
      if (std::string text = choose_exchange(run_, comm_.nodes()); !text.empty()) notices.push_back(std::move(text));
      loss = make_loss(run_.model.loss);
    });
    data_ = read_run_data(comm_, run_.data, *loss);
    std::optional<EngineParts> parts;
    comm_.together([&] {
      epoch_ = {data_.train.samples(), static_cast<std::size_t>(run_.train.batch)};
      count_steps();
      parts.emplace(run_, data_.train.inputs(), total_steps_);
      check_targets(data_.train, data_.test ? &*data_.test : nullptr, *loss, parts->model.outputs(), run_.data.classes);
      monitor_.emplace(run_.checkpoint.monitor, loss->task(), parts->model.outputs(), data_.test.has_value());
      if (kept_) check_fingerprints();
      if (kept_ && parts->schedule->spans_run() && parse_run(kept_->run, "").train.epochs != run_.train.epochs) {
        notices.emplace_back("the learning-rate schedule spans the whole run: another train.epochs stretches it");
      }
    });
    for (const std::string& text : notices) log(LogLevel::notice, text);
    engine_.emplace(comm_, run_, std::move(*parts));
    engine_->reserve_rows(engine_->shards().max_rows(std::min(epoch_.batch, epoch_.samples)));
    warn_of_unlike_ranks();
    for (const std::string& text : core_warnings(gather_cores(comm_), static_cast<std::size_t>(run_.train.threads))) {
      log(LogLevel::warning, text);
    }
  }

  // A step is a 32-bit part of the keys of random numbers.
  void count_steps() {
    constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
    const auto epochs = static_cast<std::uint64_t>(run_.train.epochs);
    if (epochs > most / epoch_.batches()) {
      throw Error(ErrorKind::config, fmt::format("train.epochs: {} epochs of {} batches; a run has at most {} steps",
                                                 epochs, epoch_.batches(), most));
    }
    total_steps_ = epochs * epoch_.batches();
  }

  void check_fingerprints() const {
    const auto check = [&](const char* key, const std::string& kept, const Dataset* data) {
      const std::string now = data != nullptr ? data->fingerprint : "";
      if (kept != now) {
        throw Error(ErrorKind::data,
                    fmt::format("{}: {} is not the data that the run was started on (fingerprint {}, now {})", key,
                                data != nullptr ? data->source : "no data", kept.empty() ? "none" : kept,
                                now.empty() ? "none" : now));
      }
    };
    check("data.train", kept_->train_fingerprint, &data_.train);
    check("data.test", kept_->test_fingerprint, data_.test ? &*data_.test : nullptr);
  }

  void warn_of_unlike_ranks() {
    std::vector<std::string> texts = comm_.gather_texts(blas_kernel() + " kernels and " + simd_target() + " vectors");
    const std::set<std::string> kinds(texts.begin(), texts.end());
    if (kinds.size() > 1) {
      log(LogLevel::warning,
          fmt::format("the ranks compute with unlike machine code ({}): the bits of the run depend on "
                      "which rank does what; set OPENBLAS_CORETYPE alike on all hosts",
                      fmt::join(kinds, "; ")));
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
        if (info().position.position % epoch_.batch != 0) {
          throw Error(ErrorKind::data, "the checkpoint's position is not at a batch of this run");
        }
      });
      return;
    }
    info().train_fingerprint = data_.train.fingerprint;
    info().test_fingerprint = data_.test ? data_.test->fingerprint : "";
    info().class_names = data_.train.class_names;
    const auto keep = [this](const char* name, const std::vector<double>& values) {
      if (!values.empty()) info().normalization[name] = values;
    };
    keep("x_shift", data_.normalization.x.shift);
    keep("x_scale", data_.normalization.x.scale);
    keep("y_shift", data_.normalization.y.shift);
    keep("y_scale", data_.normalization.y.scale);
    std::vector<std::string>& columns = info().history.columns;
    columns = {"epoch", "step", "learning_rate", "train_loss"};
    if (data_.test) {
      for (const std::string& score : score_names(engine_->loss().task(), engine_->model().outputs())) {
        columns.push_back("test_" + score);
      }
    }
    columns.insert(columns.end(), {"seconds", "samples_per_second"});
  }

  void describe() {
    const Model& model = engine_->model();
    log(LogLevel::info,
        fmt::format("{}: {}, {}, {}; {} training and {} test samples", run_.name, count_text(model.inputs(), "input"),
                    count_text(model.outputs(), "output"), count_text(model.parameters().count(), "parameter"),
                    data_.train.samples(), data_.test ? data_.test->samples() : 0));
    log(LogLevel::info, fmt::format("{} on {} on {}; batches of {}, {} an epoch, {}; exchange {}",
                                    count_text(engine_->shards().shards, "shard"), count_text(comm_.size(), "rank"),
                                    count_text(comm_.nodes(), "host"), count_text(epoch_.batch, "sample"),
                                    epoch_.batches(), count_text(total_steps_, "step"), run_.train.exchange));
    if (!engine_->exchange().same_bits_at_any_rank_count()) {
      log(LogLevel::notice, "train.exchange = \"allreduce\": the bits of this run depend on the rank count");
    }
    if (kept_) {
      log(LogLevel::info, fmt::format("resumed from {}: step {}, epoch {}, sample {} of it", found_.path,
                                      info().position.step, info().position.epoch + 1, info().position.position));
    }
    if (kept_ && finished()) log(LogLevel::notice, "the run is finished: there is nothing left to do");
    if (options_.dry_run) describe_memory();
  }

  // Data lies once a host. So does what the exchange shares, of which bytes() counts a rank's share.
  void describe_memory() {
    const auto mb = [](std::size_t bytes) { return static_cast<double>(bytes) / 1e6; };
    const std::size_t order = data_.train.samples() * sizeof(std::uint32_t);  // of an epoch
    const std::size_t data = data_.train.bytes() + (data_.test ? data_.test->bytes() : 0);
    const std::size_t rank = engine_->bytes() + order;
    const auto ranks = static_cast<std::size_t>(comm_.max(comm_.node_size()));  // of the fullest host
    log(LogLevel::info,
        fmt::format("memory: {:.1f} MB a rank ({:.1f} MB of it activations), {:.1f} MB a host with {} ({:.1f} MB of it "
                    "data, held once)",
                    mb(rank), mb(engine_->activation_bytes()), mb(rank * ranks + data), count_text(ranks, "rank"),
                    mb(data)));
  }

  // 4. From here on the run folder is written.
  void start() {
    on_root([&] {
      if (!kept_ && options_.overwrite) remove_checkpoints(folder_.checkpoints());
      folder_.open(format_run(run_), info());
    });
    batches_.emplace(data_.train, data_.normalization, epoch_, engine_->shards(),
                     static_cast<std::uint64_t>(run_.seed));
    const auto a_tenth = std::max<std::uint64_t>(1, epoch_.batches() / 10);
    log_every_ = run_.log.every_steps > 0 ? static_cast<std::uint64_t>(run_.log.every_steps) : a_tenth;
    if (!kept_) save();
  }

  void run_epoch() {
    batches_->start_epoch(info().position.epoch);
    for (std::size_t b = info().position.position / epoch_.batch; b < epoch_.batches(); ++b) {
      batches_->select(b);
      const StepResult step = engine_->train_step(*batches_);
      info().position.position += step.samples;
      add_to_sums(step);
      const bool epoch_done = b + 1 == epoch_.batches();
      if (step.step % log_every_ == 0 || epoch_done) {
        on_root([&] { folder_.add_step(step, info().position.epoch + 1, rate()); });
      }
      if (comm_.is_root() && options_.observer != nullptr) options_.observer->on_step(step, progress());
      if (!epoch_done && due(run_.checkpoint.every_steps, step.step)) save();
      if (epoch_done) finish_epoch(step);
    }
  }

  void add_to_sums(const StepResult& step) {
    EpochSums& sums = info().sums;
    sums.loss_sum += step.loss * static_cast<double>(step.samples);
    sums.samples += step.samples;
    sums.seconds += step.times.total();
    sums.total_seconds += step.times.total();
    samples_here_ += static_cast<double>(step.samples);
    seconds_here_ += step.times.total();
  }

  void finish_epoch(const StepResult& last) {
    train_loss_ = epoch_loss();
    test_.reset();
    if (data_.test) test_ = evaluate(comm_, net(), *data_.test, data_.normalization);
    const FitProgress at_end = progress();
    ++info().position.epoch;
    info().position.position = 0;
    add_history(last);
    info().sums = EpochSums{.total_seconds = info().sums.total_seconds};
    const double value = monitor_->value(train_loss_, test_);
    const bool improved = monitor_->better(value, info().best ? std::optional(info().best->value) : std::nullopt);
    if (improved) info().best = Best{monitor_->name(), value, info().position.step, info().position.epoch};
    on_root([&] { folder_.add_epoch(info().history); });
    if (comm_.is_root() && options_.observer != nullptr) options_.observer->on_epoch(at_end, train_loss_, test_);
    if (improved || finished() || due(run_.checkpoint.every_epochs, info().position.epoch) ||
        due(run_.checkpoint.every_steps, info().position.step)) {
      save();
    }
  }

  void add_history(const StepResult& last) {
    std::map<std::string, double> row{
        {"epoch", static_cast<double>(info().position.epoch)},
        {"step", static_cast<double>(last.step)},
        {"learning_rate", last.learning_rate},
        {"train_loss", train_loss_},
        {"seconds", info().sums.total_seconds},
        {"samples_per_second", static_cast<double>(info().sums.samples) / info().sums.seconds}};
    if (test_) {
      for (const auto& [name, value] : test_->named()) row["test_" + name] = value;
    }
    History& history = info().history;
    for (const std::string& column : history.columns) {
      const auto found = row.find(column);
      history.rows.push_back(found == row.end() ? std::numeric_limits<double>::quiet_NaN() : found->second);
    }
  }

  // A step may break the weights though its own loss was finite; such a state must not become the newest checkpoint.
  void check_finite() {
    comm_.together([&] {
      const auto finite = [](float weight) { return std::isfinite(weight); };
      if (std::ranges::all_of(engine_->weights(), finite)) return;
      throw Error(ErrorKind::diverged, fmt::format("the training diverged: the weights are not finite after step {}; "
                                                   "try a smaller learning rate, or clip_norm",
                                                   info().position.step));
    });
  }

  void save() {
    check_finite();
    last_checkpoint_ = checkpoint_path(folder_.checkpoints(), info().position.step);
    engine_->save(last_checkpoint_);
    on_root([&] {
      prune_checkpoints(folder_.checkpoints(), run_.checkpoint.keep, info().position.step,
                        info().best ? std::optional(info().best->step) : std::nullopt);
    });
  }

  FitSummary summary(bool trained) {
    FitSummary s;
    s.steps = info().position.step;
    s.epochs = info().position.epoch;
    s.seconds = info().sums.total_seconds;
    s.samples_per_second = rate();
    s.ranks = comm_.size();
    s.nodes = comm_.nodes();
    s.shards = *run_.train.shards;
    s.parameters = engine_->model().parameters().count();
    s.exchange = run_.train.exchange;
    s.same_bits_at_any_rank_count = engine_->exchange().same_bits_at_any_rank_count();
    s.digest = engine_->digest();
    s.train_loss = train_loss_;
    s.test = test_;
    s.best = info().best;
    s.checkpoint = last_checkpoint_;
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
  FoundCheckpoint found_;               // rank 0; its path on every rank
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
  std::string last_checkpoint_;
  double samples_here_ = 0;  // of this start
  double seconds_here_ = 0;
};

}  // namespace

FitSummary fit(const Communicator& comm, const RunConfig& run, const FitOptions& options) {
  return Fit(comm, run, options).run();
}

}  // namespace lockstep
