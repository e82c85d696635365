#include "train/run_data.hpp"

#include <fmt/format.h>

#include "lockstep/error.hpp"

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

RunData read_run_data(const DataConfig& config, const Loss& loss) {
  if (config.train.empty()) throw Error(ErrorKind::config, "data.train: a run needs training data");
  const NormalizeMethod method = parse_normalize(config.normalize);
  RunData data;
  data.train = read_dataset(config.train, {});
  if (!config.test.empty()) {
    data.test = read_dataset(config.test, {});
    if (data.test->inputs() != data.train.inputs()) {
      throw Error(ErrorKind::data, fmt::format("{} has {} columns a sample, {} has {}", data.test->source,
                                               data.test->inputs(), data.train.source, data.train.inputs()));
    }
  }
  data.normalization.x = fit_scaling(method, data.train.x);
  if (loss.task() == Task::regression) data.normalization.y = fit_scaling(method, data.train.y);
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

void check_same_data(const Communicator& comm, const Dataset& data) {
  const std::vector<std::string> prints = comm.gather_texts(data.fingerprint);
  for (std::size_t rank = 1; rank < prints.size(); ++rank) {
    if (prints[rank] == prints.front()) continue;
    const std::string place = comm.broadcast_text(data.source);
    throw Error(ErrorKind::data,
                fmt::format("{}: rank {} has read other samples than rank 0 (fingerprint {}, on rank 0 "
                            "{}); all ranks need the same files",
                            place, rank, prints[rank], prints.front()))
        .as_agreed();
  }
}

}  // namespace lockstep
