// Schema v2, written. The names here and in reader.cpp are the schema.
#include <nlohmann/json.hpp>

#include <array>

#include "checkpoint/checkpoint.hpp"
#include "checkpoint/column_names.hpp"
#include "checkpoint/trailer.hpp"
#include "io/files.hpp"
#include "io/hdf5.hpp"

namespace lockstep {
namespace {

void write_arrays(h5::File& file, const std::string& group, const ParameterTable& table, std::span<const float> arena) {
  file.make_group(group);
  for (const Parameter& parameter : table.entries()) {
    file.write(group + "/" + parameter.layer + "/" + parameter.name, parameter.shape,
               arena.subspan(parameter.range.begin, parameter.range.size()));
  }
}

std::string order_of(const ParameterTable& table) {
  std::string order;
  for (const Parameter& parameter : table.entries()) order += parameter.layer + "/" + parameter.name + "\n";
  return order;
}

void write_root(h5::File& file, const CheckpointInfo& info) {
  file.set_attribute("/", "format", std::string_view("lockstep-checkpoint"));
  file.set_attribute("/", "version", info.version);
  file.set_attribute("/", "step", static_cast<std::int64_t>(info.position.step));
  file.set_attribute("/", "epoch", static_cast<std::int64_t>(info.position.epoch));
  file.set_attribute("/", "position", static_cast<std::int64_t>(info.position.position));
  file.set_attribute("/", "seed", info.seed);
  file.set_attribute("/", "shards", info.shards);
  file.set_attribute("/", "inputs", info.inputs);
  file.set_attribute("/", "input_shape", std::string_view(nlohmann::json(info.input_shape).dump()));
  file.set_attribute("/", "outputs", info.outputs);
  file.set_attribute("/", "digest", std::string_view(info.digest));
  file.set_attribute("/", "data_fingerprint", std::string_view(info.train_fingerprint));
  file.set_attribute("/", "test_fingerprint", std::string_view(info.test_fingerprint));
  file.set_attribute("/", "exchange", std::string_view(info.exchange));
  file.set_attribute("/", "blas_kernel", std::string_view(info.blas_kernel));
  file.set_attribute("/", "blas_threads", info.blas_threads);
  file.set_attribute("/", "simd_target", std::string_view(info.simd_target));
  if (!info.probe.empty()) {
    std::string lines;
    for (const auto& [kernel, hash] : info.probe) lines += kernel + " " + hash + "\n";
    file.set_attribute("/", "probe", std::string_view(lines));
  }
  for (const auto& [name, version] : info.versions) {
    file.set_attribute("/", name + "_version", std::string_view(version));
  }
  file.set_attribute("/", "ranks", info.ranks);
  file.set_attribute("/", "hosts", std::string_view(info.hosts));
  file.set_attribute("/", "time", std::string_view(info.time));
  // A class list of a data file may hold bytes that are not UTF-8, which JSON refuses.
  constexpr auto replace = nlohmann::json::error_handler_t::replace;
  file.write_text("/classes", nlohmann::json(info.class_names).dump(-1, ' ', false, replace));
  file.write_text("/run", info.run);
}

void write_normalization(h5::File& file, const CheckpointInfo& info) {
  file.make_group("/normalization");
  for (const auto& [name, values] : info.normalization) {
    file.write("/normalization/" + name, std::array{values.size()}, std::span<const double>(values));
  }
}

void write_history(h5::File& file, const CheckpointInfo& info) {
  const History& history = info.history;
  const std::size_t rows = history.num_rows();
  file.make_group("/history");
  std::string columns;
  std::vector<double> column(rows);
  for (std::size_t c = 0; c < history.columns.size(); ++c) {
    columns += history.columns[c] + "\n";
    for (std::size_t r = 0; r < rows; ++r) column[r] = history.rows[r * history.columns.size() + c];
    file.write("/history/" + history.columns[c], std::array{rows}, std::span<const double>(column));
  }
  file.set_attribute("/history", "columns", std::string_view(columns));
  file.set_attribute("/history", "loss_sum", info.sums.loss_sum);
  file.set_attribute("/history", "samples", static_cast<std::int64_t>(info.sums.samples));
  file.set_attribute("/history", "weight", info.sums.weight);
  file.set_attribute("/history", "seconds", info.sums.seconds);
  file.set_attribute("/history", "total_seconds", info.sums.total_seconds);
  if (info.best) {
    file.make_group("/best");
    file.set_attribute("/best", "monitor", std::string_view(info.best->monitor));
    file.set_attribute("/best", "value", info.best->value);
    file.set_attribute("/best", "step", static_cast<std::int64_t>(info.best->step));
    file.set_attribute("/best", "epoch", static_cast<std::int64_t>(info.best->epoch));
  }
  if (info.restored) {
    file.make_group("/restored");
    file.set_attribute("/restored", "step", static_cast<std::int64_t>(info.restored->step));
    file.set_attribute("/restored", "epoch", static_cast<std::int64_t>(info.restored->epoch));
  }
  if (info.decision) {
    file.make_group("/decision");
    file.set_attribute("/decision", "threshold", info.decision->threshold);
    file.set_attribute("/decision", "rule", std::string_view(info.decision->rule));
    file.set_attribute("/decision", "score", info.decision->score);
  }
}

void write_files(h5::File& file, const CheckpointInfo& info) {
  if (info.train_files.empty() && info.test_files.empty()) return;
  file.make_group("/files");
  const auto write = [&](const char* path, const std::vector<std::string>& texts) {
    constexpr auto replace = nlohmann::json::error_handler_t::replace;  // of what is no UTF-8, which JSON refuses
    if (!texts.empty()) file.write_text(path, nlohmann::json(texts).dump(-1, ' ', false, replace));
  };
  write("/files/train", info.train_files);
  write("/files/test", info.test_files);
}

void write_info(h5::File& file, const CheckpointInfo& info) {
  write_root(file, info);
  write_column_names(file, info.columns);
  write_files(file, info);
  write_normalization(file, info);
  write_history(file, info);
}

}  // namespace

std::vector<std::byte> encode_info(const CheckpointInfo& info) {
  h5::File file = h5::File::create_image("checkpoint information");
  write_info(file, info);
  const h5::FileImage image = std::move(file).take_image();
  return {image.bytes().begin(), image.bytes().end()};
}

h5::FileImage build_checkpoint(const std::string& name, CheckpointInfo info, const CheckpointArrays& arrays) {
  // Beside the arrays: headers of data sets and groups, of some hundred bytes each, and the history.
  const std::size_t arenas = 1 + arrays.slots.size() + (arrays.ema.empty() ? 0 : 1);
  const std::size_t expected = arenas * (arrays.table.count() * sizeof(float) + arrays.table.entries().size() * 2048) +
                               info.history.rows.size() * sizeof(double) + (std::size_t{1} << 18U);
  info.digest = digest_of(arrays, info.position, info.seed);
  h5::File file = h5::File::create_image(name, expected);
  write_info(file, info);
  write_arrays(file, "/parameters", arrays.table, arrays.weights);
  file.set_attribute("/parameters", "order", std::string_view(order_of(arrays.table)));
  file.make_group("/optimizer");
  std::string slots;
  for (std::size_t slot = 0; slot < arrays.slots.size(); ++slot) {
    const std::string name(arrays.slot_names[slot]);
    write_arrays(file, "/optimizer/" + name, arrays.table, arrays.slots[slot]);
    slots += name + "\n";
  }
  file.set_attribute("/optimizer", "slots", std::string_view(slots));
  if (!arrays.ema.empty()) write_arrays(file, "/ema", arrays.table, arrays.ema);
  return std::move(file).take_image();
}

void write_checkpoint(const std::string& path, const h5::FileImage& image, const std::function<void()>& alive) {
  const auto trailer = make_trailer(image.bytes());
  const std::array<std::span<const std::byte>, 2> parts{image.bytes(), std::span(trailer)};
  write_file_atomically(path, parts, alive);
}

}  // namespace lockstep
