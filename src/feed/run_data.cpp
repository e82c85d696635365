#include "feed/run_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/number_text.hpp"
#include "data/label_advice.hpp"
#include "data/open_dataset.hpp"
#include "data/sample_weights.hpp"
#include "data/time_windows.hpp"
#include "feed/load_choice.hpp"
#include "feed/load_dataset.hpp"
#include "feed/stream_dataset.hpp"
#include "lockstep/error.hpp"
#include "net/kept_normalization.hpp"

namespace lockstep {
namespace {

TargetRule rule_of(const Loss& loss, const std::optional<std::int64_t>& classes, const OpenDataset& train) {
  if (loss.targets() == TargetKind::labels) return label_rule(classes, train.class_names, train.source);
  return value_rule(loss);
}

Split split_of(const RunConfig& run, const Dataset& train) {
  if (train.x.windows) return train.x.windows->split(run.data.validation);
  return split_rows(run.data.validation, static_cast<std::uint64_t>(run.seed), train.samples());
}

void load(const Communicator& comm, const DataConfig& config, const Loss& loss, const KnownNames& known,
          RunData& data) {
  data.train = load_dataset(comm, open_matched(comm, config.train, config, known, data.notices));
  data.names = known_names(data.train, loss);
  if (!config.test.empty())
    data.test = load_dataset(comm, open_matched(comm, config.test, config, data.names, data.notices));
}

void pass(const Communicator& comm, const RunConfig& run, const Loss& loss, NormalizeMethod method,
          const std::function<void(const std::string&)>& tell, const KnownNames& known, RunData& data) {
  OpenDataset file = open_matched(comm, run.data.train, run.data, known, data.notices);
  comm.together([&] {
    data.rule = rule_of(loss, run.data.classes, file);
    data.stream = make_stream_plan(run, file);
  });
  const NormalizeMethod of_y = loss.normalizes_targets() ? method : NormalizeMethod::none;
  PassedDataset train = pass_over(comm, std::move(file), {data.rule, method, of_y, tell});
  data.train = std::move(train.data);
  data.normalization = std::move(train.normalization);
  data.names = known_names(data.train, loss);
  if (run.data.test.empty()) return;
  file = open_matched(comm, run.data.test, run.data, data.names, data.notices);
  data.test = pass_over(comm, std::move(file), {data.rule, NormalizeMethod::none, NormalizeMethod::none, tell}).data;
}

}  // namespace

RunData read_run_data(const Communicator& comm, const RunConfig& run, const Loss& loss,
                      const std::function<void(const std::string&)>& tell, const KnownNames& known) {
  NormalizeMethod method = NormalizeMethod::none;
  comm.together([&] {
    if (run.data.train.empty()) throw Error(ErrorKind::config, "data.train: a run needs training data");
    method = parse_normalize(run.data.normalize);
  });
  RunData data;
  const bool streams = run.data.load == "stream";
  if (streams) {
    pass(comm, run, loss, method, tell, known, data);
  } else {
    load(comm, run.data, loss, known, data);
  }
  comm.together([&] {
    data.split = split_of(run, data.train);
    if (data.train.x.windows && !data.split.validation.empty()) {
      data.notices.push_back(fmt::format(
          "data.validation: the last windows of each series are held out, {} of them; {} before them share rows with "
          "these and are left out",
          data.split.validation.size(), data.train.samples() - data.split.validation.size() - data.split.train.size()));
    }
    if (data.test && data.test->inputs() != data.train.inputs()) {
      throw Error(ErrorKind::data, fmt::format("{} has {} columns a sample, {} has {}", data.test->source,
                                               data.test->inputs(), data.train.source, data.train.inputs()));
    }
  });
  comm.together([&] {
    check_some_targets(data.train, data.split.train);
    for (const Dataset* part : {&data.train, data.test ? &*data.test : nullptr}) {
      if (part == nullptr) continue;
      const std::vector<std::string> told = sample_notices(*part, part == &data.train ? data.split.train : RowList{});
      data.notices.insert(data.notices.end(), told.begin(), told.end());
    }
  });
  if (loss.task() == Task::regression && !loss.normalizes_targets() && method != NormalizeMethod::none) {
    data.notices.push_back(
        fmt::format("data.normalize goes for x alone: {} takes targets as they are", run.model.loss.type));
  }
  if (streams) return data;
  if (const auto& windows = data.train.x.windows) {
    const std::vector<std::uint32_t> rows = windows->rows_of(data.split.train);
    data.normalization.x = repeated(fit_scaling(comm, method, data.train.x.base(), rows, {}), windows->rows());
  } else {
    data.normalization.x = fit_scaling(comm, method, data.train.x, data.split.train, values_of_x(data.train));
  }
  if (loss.normalizes_targets()) {
    data.normalization.y = fit_scaling(comm, method, data.train.y, data.split.train, values_of_y(data.train));
  }
  return data;
}

TargetRule value_rule(const Loss& loss) {
  switch (loss.target_range()) {
    case TargetRange::unit_interval:
      return {TargetRule::Kind::unit_interval};
    case TargetRange::from_zero:
      return {TargetRule::Kind::from_zero};
    case TargetRange::any:
      break;
  }
  return {TargetRule::Kind::values};
}

Split split_of_run(const RunConfig& run, const CheckpointInfo& kept, const Dataset& data) {
  if (run.data.validation > 0 && data.fingerprint != kept.train_fingerprint) {
    throw Error(
        ErrorKind::data,
        fmt::format("{} is not the data that the run was trained on (fingerprint {}, now {}): which rows it held "
                    "out cannot be told; score all of it with --data",
                    data.source, kept.train_fingerprint, data.fingerprint));
  }
  return split_of(run, data);
}

void check_some_weight(const Dataset& data, const Loss& loss, RowList rows, const char* what) {
  const std::span<const double> weights = loss.class_weights();
  const bool has_own = data.w.rows > 0;
  const bool misses = !data.missing.empty();
  if (weights.empty() && !has_own && !misses) return;
  const std::string samples = count_text(rows.empty() ? data.y.rows : rows.size(), what);
  double sum = 0;
  if (misses) {
    const TargetWeights found = weigh_targets(data, rows);
    for (const double of_target : found.sums) sum += of_target / static_cast<double>(found.sums.size());
  } else if (weights.empty()) {
    sum = weigh_samples(data, rows).sum();
  } else {
    const std::vector<double> of_class = weigh_labels(data, weights.size(), rows);
    for (std::size_t label = 0; label < weights.size(); ++label) sum += weights[label] * of_class[label];
  }
  if (sum > 0) return;
  if (has_own || misses) {
    throw Error(ErrorKind::data,
                fmt::format("{} of {}: {} weigh {:.6g} in all{}; expected more than 0, for losses and "
                            "scores are divided by it",
                            !misses   ? "w"
                            : has_own ? "y and w"
                                      : "y",
                            data.source, samples, sum, misses ? ", by the targets that are there" : ""));
  }
  throw Error(ErrorKind::config,
              fmt::format("model.loss.class_weights: all {} of {} are of classes with weight 0", samples, data.source));
}

Dataset read_scored_data(const Communicator& comm, OpenDataset file, const DataConfig& config, const Loss& loss,
                         std::size_t outputs) {
  std::uint32_t streams = 0;
  comm.together([&] {
    DataConfig by_size = config;
    if (by_size.load == "memory") by_size.load = "auto";
    const std::size_t bytes = bytes_of(file);
    // Rows that a run has held out are known of data in memory.
    const bool seekable = std::ranges::all_of(tables_of(file), [](const auto* table) { return table->seekable(); });
    streams = config.validation == 0 && seekable && wants_stream(by_size, bytes) ? 1 : 0;
  });
  if (comm.combine(streams) == 0) return load_dataset(comm, std::move(file));
  const TargetRule rule = rule_of(loss, static_cast<std::int64_t>(outputs), file);
  return pass_over(comm, std::move(file), {.rule = rule}).data;
}

void check_targets(const Dataset& train, const Dataset* test, const Loss& loss, std::size_t outputs,
                   std::optional<std::int64_t> classes) {
  if (loss.targets() == TargetKind::labels) {
    const std::size_t found = count_classes(train, test, classes);
    if (found != outputs) {
      const std::string advice =
          label_advice(train.streamed() ? count_values(*train.labels) : count_values(train.y), outputs);
      throw Error(
          ErrorKind::config,
          fmt::format("model.layers: the last layer has {} outputs, but {} has {} classes ({})", outputs, train.source,
                      found,
                      advice.empty() ? "data.classes says otherwise where labels do not show them all" : advice));
    }
    loss.check_outputs(outputs);
    for (const Dataset* data : {&train, test}) {
      if (data != nullptr) check_some_weight(*data, loss, {});
    }
    return;
  }
  for (const Dataset* data : {&train, test}) {
    if (data == nullptr) continue;
    if (data->y.columns * loss.outputs_per_target() != outputs) {
      const std::size_t each = loss.outputs_per_target();
      throw Error(ErrorKind::config,
                  fmt::format("model.layers: the last layer has {} outputs, but y of {} has {} columns{}", outputs,
                              data->source, data->y.columns,
                              each == 1 ? ""
                                        : fmt::format(", for which this loss takes {} outputs, {} each",
                                                      each * data->y.columns, each)));
    }
    if (!data->streamed()) check_targets_held(value_rule(loss), data->y, data->source, 0, nullptr);
    check_some_weight(*data, loss, {});
  }
}

void begin_info(const RunData& data, CheckpointInfo& info) {
  info.train_fingerprint = data.train.fingerprint;
  info.test_fingerprint = data.test ? data.test->fingerprint : "";
  info.class_names = data.train.class_names;
  info.columns = data.train.columns;
  info.train_files = data.train.files;
  if (data.test) info.test_files = data.test->files;
  keep_normalization(data.normalization, info);
}

void complete_names(const Dataset& train, CheckpointInfo& info) {
  if (info.class_names.empty()) info.class_names = train.class_names;
  if (info.columns.targets.empty()) info.columns.targets = train.columns.targets;
  if (!info.columns.features.empty()) return;
  info.columns.recipe = train.columns.recipe;
  info.columns.features = train.columns.features;
  info.columns.categorical = train.columns.categorical;
}

std::uint64_t count_steps(const EpochPlan& epoch, std::uint64_t epochs) {
  constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();  // a part of the keys of random numbers
  if (epochs > most / epoch.batches()) {
    throw Error(ErrorKind::config, fmt::format("train.epochs: {} epochs of {} batches; a run has at most {} steps",
                                               epochs, epoch.batches(), most));
  }
  return epochs * epoch.batches();
}

}  // namespace lockstep
