#include "train/run_data.hpp"

#include <fmt/format.h>

#include "lockstep/error.hpp"
#include "train/load_dataset.hpp"

namespace lockstep {
namespace {

void check_unit_interval(const Dataset& data) {
  std::vector<double> row(data.y.columns);
  for (std::size_t i = 0; i < data.y.rows; ++i) {
    data.y.row(i, row);
    for (const double value : row) {
      if (value < 0 || value > 1) {
        throw Error(ErrorKind::data,
                    fmt::format("{}: y, row {}: binary_cross_entropy needs targets from 0 to 1, found {}", data.source,
                                i, value));
      }
    }
  }
}

}  // namespace

RunData read_run_data(const Communicator& comm, const DataConfig& config, const Loss& loss) {
  NormalizeMethod method = NormalizeMethod::none;
  comm.together([&] {
    if (config.train.empty()) throw Error(ErrorKind::config, "data.train: a run needs training data");
    method = parse_normalize(config.normalize);
  });
  RunData data;
  data.train = load_dataset(comm, config.train, {});
  if (!config.test.empty()) data.test = load_dataset(comm, config.test, {});
  comm.together([&] {
    if (data.test && data.test->inputs() != data.train.inputs()) {
      throw Error(ErrorKind::data, fmt::format("{} has {} columns a sample, {} has {}", data.test->source,
                                               data.test->inputs(), data.train.source, data.train.inputs()));
    }
  });
  data.normalization.x = fit_scaling(comm, method, data.train.x);
  if (loss.task() == Task::regression) data.normalization.y = fit_scaling(comm, method, data.train.y);
  return data;
}

void check_targets(const Dataset& train, const Dataset* test, const Loss& loss, std::size_t outputs,
                   std::optional<std::int64_t> classes) {
  if (loss.targets() == TargetKind::labels) {
    const std::size_t found = count_classes(train, test, classes);
    if (found != outputs) {
      throw Error(ErrorKind::config, fmt::format("model.layers: the last layer has {} outputs, but {} has {} classes "
                                                 "(data.classes says otherwise where labels do not show them all)",
                                                 outputs, train.source, found));
    }
    return;
  }
  for (const Dataset* data : {&train, test}) {
    if (data == nullptr) continue;
    if (data->y.columns != outputs) {
      throw Error(ErrorKind::config,
                  fmt::format("model.layers: the last layer has {} outputs, but y of {} has {} columns", outputs,
                              data->source, data->y.columns));
    }
    if (loss.task() == Task::binary) check_unit_interval(*data);
  }
}

}  // namespace lockstep
