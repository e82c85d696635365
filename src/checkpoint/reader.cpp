// Schema v1, read. Nothing is believed before it is checked.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <numeric>
#include <sstream>

#include "checkpoint/checkpoint.hpp"
#include "checkpoint/column_names.hpp"
#include "checkpoint/trailer.hpp"
#include "io/files.hpp"
#include "io/hdf5.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::uint64_t count_attribute(const h5::File& file, const std::string& path, const std::string& name) {
  const std::int64_t value = file.integer_attribute(path, name);
  if (value < 0) throw Error(ErrorKind::data, fmt::format("{}: {} is negative ({})", file.name(), name, value));
  return static_cast<std::uint64_t>(value);
}

void read_root(const h5::File& file, CheckpointInfo& info) {
  info.position = {.step = count_attribute(file, "/", "step"),
                   .epoch = count_attribute(file, "/", "epoch"),
                   .position = count_attribute(file, "/", "position")};
  info.seed = file.integer_attribute("/", "seed");
  info.shards = file.integer_attribute("/", "shards");
  info.inputs = file.integer_attribute("/", "inputs");
  info.outputs = file.integer_attribute("/", "outputs");
  info.digest = file.text_attribute("/", "digest");
  info.train_fingerprint = file.text_attribute("/", "data_fingerprint");
  info.test_fingerprint = file.text_attribute("/", "test_fingerprint");
  info.exchange = file.text_attribute("/", "exchange");
  info.blas_kernel = file.text_attribute("/", "blas_kernel");
  info.blas_threads = file.integer_attribute("/", "blas_threads");
  info.simd_target = file.text_attribute("/", "simd_target");
  for (const char* name : {"lockstep", "hdf5", "blas", "mpi"}) {
    info.versions[name] = file.text_attribute("/", std::string(name) + "_version");
  }
  info.ranks = file.integer_attribute("/", "ranks");
  info.hosts = file.text_attribute("/", "hosts");
  info.time = file.text_attribute("/", "time");
  info.class_names = nlohmann::json::parse(file.read_text("/classes")).get<std::vector<std::string>>();
  info.run = file.read_text("/run");
}

std::vector<double> read_column(const h5::File& file, const std::string& path) {
  const h5::DatasetInfo info = file.info(path);
  if (info.shape.size() != 1) throw Error(ErrorKind::data, fmt::format("{}: {} is not a list", file.name(), path));
  std::vector<double> values(info.shape[0]);
  file.read(path, std::span(values));
  return values;
}

void read_history(const h5::File& file, CheckpointInfo& info) {
  History& history = info.history;
  history.columns = lines_of(file.text_attribute("/history", "columns"));
  std::vector<std::vector<double>> columns;
  for (const std::string& name : history.columns) columns.push_back(read_column(file, "/history/" + name));
  const std::size_t rows = columns.empty() ? 0 : columns.front().size();
  for (const auto& column : columns) {
    if (column.size() != rows)
      throw Error(ErrorKind::data, fmt::format("{}: /history has columns of unlike length", file.name()));
  }
  for (std::size_t row = 0; row < rows; ++row) {
    for (const auto& column : columns) history.rows.push_back(column[row]);
  }
  const std::uint64_t samples = count_attribute(file, "/history", "samples");
  const bool weighs = file.has_attribute("/history", "weight");  // without class weights it is the number of samples
  info.sums = {.loss_sum = file.number_attribute("/history", "loss_sum"),
               .samples = samples,
               .weight = weighs ? file.number_attribute("/history", "weight") : static_cast<double>(samples),
               .seconds = file.number_attribute("/history", "seconds"),
               .total_seconds = file.number_attribute("/history", "total_seconds")};
  if (file.exists("/best")) {
    info.best = Best{.monitor = file.text_attribute("/best", "monitor"),
                     .value = file.number_attribute("/best", "value"),
                     .step = count_attribute(file, "/best", "step"),
                     .epoch = count_attribute(file, "/best", "epoch")};
  }
  if (file.exists("/restored")) {
    info.restored = Restored{.step = count_attribute(file, "/restored", "step"),
                             .epoch = count_attribute(file, "/restored", "epoch")};
  }
}

ParameterTable read_table(const h5::File& file) {
  ParameterTable table;
  for (const std::string& line : lines_of(file.text_attribute("/parameters", "order"))) {
    const auto slash = line.find('/');
    if (slash == std::string::npos)
      throw Error(ErrorKind::data, fmt::format("{}: bad parameter name \"{}\"", file.name(), line));
    const std::string name = line.substr(slash + 1);
    const h5::DatasetInfo info = file.info("/parameters/" + line);
    table.add(line.substr(0, slash), name, info.shape, name == "bias" ? ParameterKind::bias : ParameterKind::weight);
  }
  return table;
}

std::vector<float> read_arrays(const h5::File& file, const std::string& group, const ParameterTable& table) {
  std::vector<float> arena(table.arena_size());
  for (const Parameter& parameter : table.entries()) {
    const std::string path = group + "/" + parameter.layer + "/" + parameter.name;
    if (file.info(path).shape != parameter.shape) {
      throw Error(ErrorKind::data, fmt::format("{}: {} does not have the shape of its parameter", file.name(), path));
    }
    file.read(path, std::span(arena).subspan(parameter.range.begin, parameter.range.size()));
  }
  return arena;
}

CheckpointInfo read_info(const h5::File& file) {
  CheckpointInfo info;
  try {
    read_root(file, info);
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::data, fmt::format("{}: /classes is no list of texts: {}", file.name(), error.what()));
  }
  info.columns = read_column_names(file.name(), info.inputs, info.outputs, [&](const std::string& path) {
    return file.exists(path) ? std::optional(file.read_text(path)) : std::nullopt;
  });
  read_history(file, info);
  for (const std::string& name : file.children("/normalization")) {
    info.normalization[name] = read_column(file, "/normalization/" + name);
  }
  return info;
}

}  // namespace

CheckpointInfo decode_info(std::span<const std::byte> bytes, const std::string& name) {
  return read_info(h5::File::open_image(bytes, name));
}

Checkpoint read_checkpoint(const std::string& path, const std::function<void()>& alive) {
  const std::vector<std::byte> bytes = read_file(path, alive);
  const h5::File file = h5::File::open_image(checked_image(bytes, path), path);
  if (!file.has_attribute("/", "format") || file.text_attribute("/", "format") != "lockstep-checkpoint") {
    throw Error(ErrorKind::data,
                fmt::format("{} is no lockstep checkpoint: its format attribute says otherwise", path));
  }
  const std::int64_t version = file.integer_attribute("/", "version");
  if (version != kCheckpointVersion) {
    throw Error(ErrorKind::data, fmt::format("{} has schema version {}; this program reads version {}", path, version,
                                             kCheckpointVersion));
  }
  Checkpoint checkpoint;
  checkpoint.info = read_info(file);
  checkpoint.table = read_table(file);
  checkpoint.weights = read_arrays(file, "/parameters", checkpoint.table);
  checkpoint.slot_names = lines_of(file.text_attribute("/optimizer", "slots"));
  for (const std::string& slot : checkpoint.slot_names) {
    checkpoint.slots.push_back(read_arrays(file, "/optimizer/" + slot, checkpoint.table));
  }
  if (file.exists("/ema")) checkpoint.ema = read_arrays(file, "/ema", checkpoint.table);
  const std::vector<std::string_view> names(checkpoint.slot_names.begin(), checkpoint.slot_names.end());
  const CheckpointArrays arrays{
      checkpoint.table, checkpoint.weights, names, {checkpoint.slots.begin(), checkpoint.slots.end()}, checkpoint.ema};
  const std::string digest = digest_of(arrays, checkpoint.info.position, checkpoint.info.seed);
  if (digest != checkpoint.info.digest) {
    throw Error(ErrorKind::data,
                fmt::format("{}: its digest says {}, its arrays give {}", path, checkpoint.info.digest, digest));
  }
  return checkpoint;
}

void check_same_parameters(const ParameterTable& expected, const ParameterTable& found, const std::string& file) {
  const auto name_of = [](const Parameter& p) {
    return fmt::format("{}/{} [{}]", p.layer, p.name, fmt::join(p.shape, ", "));
  };
  const auto wanted = expected.entries();
  const auto held = found.entries();
  for (std::size_t i = 0; i < std::max(wanted.size(), held.size()); ++i) {
    const std::string want = i < wanted.size() ? name_of(wanted[i]) : "nothing more";
    const std::string have = i < held.size() ? name_of(held[i]) : "nothing more";
    if (want != have) {
      throw Error(ErrorKind::data,
                  fmt::format("{} is a checkpoint of another model: expected {}, found {}", file, want, have));
    }
  }
}

}  // namespace lockstep
