// Schema v2 and those before it, read. Nothing is believed before it is checked.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>

#include "checkpoint/check.hpp"
#include "checkpoint/checkpoint.hpp"
#include "checkpoint/column_names.hpp"
#include "checkpoint/trailer.hpp"
#include "core/memory_room.hpp"
#include "core/shape.hpp"
#include "io/files.hpp"
#include "io/plain_hdf5.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Takes from a file what the schema has, and knows what it has taken.
class Reader {
 public:
  explicit Reader(const h5::PlainFile& file) : file_(file) {}

  void read_format() const {
    if (!file_.has_attribute("/", "format") || file_.text_attribute("/", "format") != "lockstep-checkpoint") {
      throw Error(ErrorKind::data,
                  fmt::format("{} is no lockstep checkpoint: its format attribute says otherwise", file_.name()));
    }
    const std::int64_t version = file_.integer_attribute("/", "version");
    if (version < 1 || version > kCheckpointVersion) {
      throw Error(ErrorKind::data, fmt::format("{} has schema version {}; this program reads versions 1 to {}",
                                               file_.name(), version, kCheckpointVersion));
    }
  }

  CheckpointInfo read_info() {
    CheckpointInfo info;
    read_root(info);
    info.columns = read_column_names(file_.name(), info.inputs, info.outputs, [this](const std::string& path) {
      known_.insert({"/names", path});
      return file_.exists(path) ? std::optional(file_.read_text(path)) : std::nullopt;
    });
    info.train_files = read_files("/files/train");
    info.test_files = read_files("/files/test");
    read_history(info);
    for (const std::string& name : children("/normalization")) {
      info.normalization[name] = read_column("/normalization/" + name);
    }
    return info;
  }

  // The arrays of `table`, and no others, in the order in which the file names them.
  void expect_table(const ParameterTable& table) {
    ParameterTable found;
    const std::vector<std::string> order = lines_of(file_.text_attribute("/parameters", "order"));
    if (order.size() > file_.objects().size()) fail("/parameters, attribute 'order', names more arrays than there are");
    for (const std::string& line : order) {
      const auto slash = line.find('/');
      if (slash == std::string::npos) fail(fmt::format("/parameters, attribute 'order', names \"{}\"", line));
      const auto& shape = file_.shape("/parameters/" + line, h5::PlainType::float32);
      found.add(line.substr(0, slash), line.substr(slash + 1), shape, ParameterKind::weight);
    }
    check_same_parameters(table, found, file_.name());
  }

  std::vector<float> read_arrays(const std::string& group, const ParameterTable& table) {
    (void)children(group);
    std::vector<float> arena(table.arena_size());
    for (const Parameter& parameter : table.entries()) {
      (void)children(group + "/" + parameter.layer);
      const std::string path = group + "/" + parameter.layer + "/" + parameter.name;
      known_.insert(path);
      if (file_.shape(path, h5::PlainType::float32) != parameter.shape) {
        fail(path + " does not have the shape of its parameter");
      }
      file_.read(path, std::span(arena).subspan(parameter.range.begin, parameter.range.size()));
    }
    return arena;
  }

  // Of the names of the optimizer's state arrays.
  void expect_slots(std::span<const std::string_view> slots) {
    (void)children("/optimizer");
    const std::vector<std::string> found = lines_of(file_.text_attribute("/optimizer", "slots"));
    if (std::ranges::equal(found, slots)) return;
    fail(fmt::format("/optimizer, attribute 'slots', is of another optimizer than its run: expected {}, found {}",
                     slots.empty() ? "none" : fmt::format("{}", fmt::join(slots, ", ")),
                     found.empty() ? "none" : fmt::format("{}", fmt::join(found, ", "))));
  }

  void expect_ema(bool wanted) const {
    if (wanted == file_.exists("/ema")) return;
    fail(wanted ? "there is no /ema, but its run has train.ema" : "/ema is there, but its run has no train.ema");
  }

  // What a later version of the program adds lies beside what is known now, not within.
  void expect_no_more() const {
    static constexpr std::string_view kGroups[] = {"/parameters/", "/optimizer/", "/ema/",      "/normalization/",
                                                   "/history/",    "/best/",      "/restored/", "/decision/",
                                                   "/names/",      "/files/"};
    for (const auto& entry : file_.objects()) {
      const std::string& path = entry.first;
      const bool inside = std::ranges::any_of(kGroups, [&](std::string_view group) { return path.starts_with(group); });
      if (inside && known_.count(path) == 0) fail(path + " is no part of a checkpoint of this run");
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::data, fmt::format("{}: {}", file_.name(), what));
  }

  std::vector<std::string> children(const std::string& group) {
    known_.insert(group);
    return file_.children(group);
  }

  [[nodiscard]] std::uint64_t count(const std::string& path, const std::string& name) const {
    const std::int64_t value = file_.integer_attribute(path, name);
    if (value < 0) fail(fmt::format("{}, attribute '{}', is negative ({})", path, name, value));
    return static_cast<std::uint64_t>(value);
  }

  // Of version 1 all samples have one extent.
  void read_input_shape(CheckpointInfo& info) const {
    if (info.version == 1) {
      info.input_shape = {static_cast<std::size_t>(std::max<std::int64_t>(info.inputs, 0))};
      return;
    }
    const std::string text = file_.text_attribute("/", "input_shape");
    const nlohmann::json list = nlohmann::json::parse(text, nullptr, false);
    std::size_t size = 1;
    bool fits = list.is_array() && !list.empty() && list.size() <= Shape::kMostExtents;
    for (const nlohmann::json& extent : list) {
      fits = fits && extent.is_number_unsigned() && !__builtin_mul_overflow(size, extent.get<std::size_t>(), &size);
      if (fits) info.input_shape.push_back(extent.get<std::size_t>());
    }
    if (!fits || size != static_cast<std::size_t>(info.inputs))
      fail(fmt::format("/, attribute 'input_shape', is no shape of {} numbers ({})", info.inputs, text));
  }

  void read_root(CheckpointInfo& info) const {
    info.position = {count("/", "step"), count("/", "epoch"), count("/", "position")};
    info.seed = file_.integer_attribute("/", "seed");
    info.shards = file_.integer_attribute("/", "shards");
    info.version = file_.integer_attribute("/", "version");
    info.inputs = file_.integer_attribute("/", "inputs");
    read_input_shape(info);
    info.outputs = file_.integer_attribute("/", "outputs");
    info.digest = file_.text_attribute("/", "digest");
    info.train_fingerprint = file_.text_attribute("/", "data_fingerprint");
    info.test_fingerprint = file_.text_attribute("/", "test_fingerprint");
    info.exchange = file_.text_attribute("/", "exchange");
    info.blas_kernel = file_.text_attribute("/", "blas_kernel");
    info.blas_threads = file_.integer_attribute("/", "blas_threads");
    info.simd_target = file_.text_attribute("/", "simd_target");
    if (file_.has_attribute("/", "probe")) read_probe(info);
    for (const char* name : {"lockstep", "hdf5", "blas", "mpi"}) {
      info.versions[name] = file_.text_attribute("/", std::string(name) + "_version");
    }
    info.ranks = file_.integer_attribute("/", "ranks");
    info.hosts = file_.text_attribute("/", "hosts");
    info.time = file_.text_attribute("/", "time");
    info.class_names = list_of_texts(file_.read_text("/classes"), file_.name() + ": /classes");
    info.run = file_.read_text("/run");
  }

  void read_probe(CheckpointInfo& info) const {
    for (const std::string& line : lines_of(file_.text_attribute("/", "probe"))) {
      const std::size_t gap = line.find(' ');
      const std::string hash = gap == std::string::npos ? "" : line.substr(gap + 1);
      if (gap == 0 || hash.size() != 16 || hash.find_first_not_of("0123456789abcdef") != std::string::npos)
        fail("attribute 'probe' is no list of kernels and their hashes");
      info.probe[line.substr(0, gap)] = hash;
    }
  }

  std::vector<std::string> read_files(const std::string& path) {
    known_.insert({"/files", path});
    return file_.exists(path) ? list_of_texts(file_.read_text(path), file_.name() + ": " + path)
                              : std::vector<std::string>{};
  }

  std::vector<double> read_column(const std::string& path) {
    known_.insert(path);
    const auto& shape = file_.shape(path, h5::PlainType::float64);
    if (shape.size() != 1) fail(path + " is not a list");
    std::vector<double> values(shape[0]);
    file_.read(path, std::span(values));
    return values;
  }

  void read_history(CheckpointInfo& info) {
    History& history = info.history;
    (void)children("/history");
    history.columns = lines_of(file_.text_attribute("/history", "columns"));
    std::vector<std::vector<double>> columns;
    for (const std::string& name : history.columns) {
      if (known_.count("/history/" + name) != 0)
        fail(fmt::format("/history, attribute 'columns', names {} twice", name));
      columns.push_back(read_column("/history/" + name));
    }
    const std::size_t rows = columns.empty() ? 0 : columns.front().size();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].size() == info.position.epoch) continue;
      fail(fmt::format("/history/{} has {} rows, but {} epochs are done", history.columns[i], columns[i].size(),
                       info.position.epoch));
    }
    for (std::size_t row = 0; row < rows; ++row) {
      for (const auto& column : columns) history.rows.push_back(column[row]);
    }
    const std::uint64_t samples = count("/history", "samples");
    const bool weighs = file_.has_attribute("/history", "weight");  // without class weights it is the number of samples
    info.sums = {.loss_sum = file_.number_attribute("/history", "loss_sum"),
                 .samples = samples,
                 .weight = weighs ? file_.number_attribute("/history", "weight") : static_cast<double>(samples),
                 .seconds = file_.number_attribute("/history", "seconds"),
                 .total_seconds = file_.number_attribute("/history", "total_seconds")};
    if (file_.exists("/best")) {
      info.best = Best{.monitor = file_.text_attribute("/best", "monitor"),
                       .value = file_.number_attribute("/best", "value"),
                       .step = count("/best", "step"),
                       .epoch = count("/best", "epoch")};
    }
    if (file_.exists("/restored")) {
      info.restored = Restored{.step = count("/restored", "step"), .epoch = count("/restored", "epoch")};
    }
    if (file_.exists("/decision")) {
      info.decision = Decision{.threshold = file_.number_attribute("/decision", "threshold"),
                               .rule = file_.text_attribute("/decision", "rule"),
                               .score = file_.number_attribute("/decision", "score")};
    }
  }

  const h5::PlainFile& file_;
  std::set<std::string> known_;  // paths of what was taken
};

}  // namespace

CheckpointInfo decode_info(std::span<const std::byte> bytes, const std::string& name) {
  const h5::PlainFile file(bytes, name);
  return Reader(file).read_info();
}

Checkpoint read_checkpoint(const std::string& path, const std::function<void()>& alive) {
  const std::vector<std::byte> bytes = read_file(path, alive);
  const h5::PlainFile file(checked_image(bytes, path), path);
  Reader reader(file);
  reader.read_format();
  Checkpoint checkpoint;
  checkpoint.info = reader.read_info();
  ExpectedArrays expected = check_info(checkpoint.info, path);
  reader.expect_table(expected.table);
  reader.expect_slots(expected.slots());
  reader.expect_ema(expected.ema);
  require_room(bytes.size(), path);  // its arrays once more
  checkpoint.table = std::move(expected.table);
  checkpoint.weights = reader.read_arrays("/parameters", checkpoint.table);
  for (const std::string_view slot : expected.slots()) {
    checkpoint.slot_names.emplace_back(slot);
    checkpoint.slots.push_back(reader.read_arrays("/optimizer/" + checkpoint.slot_names.back(), checkpoint.table));
  }
  if (expected.ema) checkpoint.ema = reader.read_arrays("/ema", checkpoint.table);
  reader.expect_no_more();
  const CheckpointArrays arrays{.table = checkpoint.table,
                                .weights = checkpoint.weights,
                                .slot_names = expected.slots(),
                                .slots = {checkpoint.slots.begin(), checkpoint.slots.end()},
                                .ema = checkpoint.ema};
  const std::string digest = digest_of(arrays, checkpoint.info.position, checkpoint.info.seed);
  if (digest != checkpoint.info.digest) {
    throw Error(ErrorKind::data, fmt::format("{}: its digest says {}, its arrays and its place give {}", path,
                                             checkpoint.info.digest, digest));
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
