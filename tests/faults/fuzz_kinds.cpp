#include "faults/fuzz_kinds.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <optional>
#include <span>

#include "checkpoint/trailer.hpp"
#include "config/run_file.hpp"
#include "data/dataset.hpp"
#include "data/normalization.hpp"
#include "io/files.hpp"
#include "lockstep/error.hpp"
#include "run/steering.hpp"
#include "single/checkpoint/sample_checkpoint.hpp"
#include "step/engine.hpp"

namespace lockstep::fuzz {
namespace {

std::vector<Input> one_file_each(const std::vector<std::string>& seeds) {
  std::vector<Input> inputs;
  for (const std::string& seed : seeds) inputs.push_back({{seed}});
  return inputs;
}

// ---------------------------------------------------------------------------------------------------- run files

// Every key, each with another value than its default.
constexpr const char* kEveryKey = R"(
name = "every"
seed = 7
[data]
train = {x = "images.idx.gz", y = "labels.idx"}
test = "data/digits.h5:/test"
normalize = "standard"
classes = 10
validation = 0.1
block = 4096
[model]
loss = {type = "softmax_cross_entropy", label_smoothing = 0.1, class_weights = [1, 2, 0.5, 1, 1, 1, 1, 1, 1, 3e-1]}
freeze = ["first"]
initial = "runs/other"
layers = [
  {type = "dense", units = 16, init = "kaiming_uniform", name = "first"}, {type = "leaky_relu", negative_slope = 0.1},
  {type = "dense", units = 8, bias = false, init = "constant", init_value = 1e-3}, {type = "gelu", approximate = "tanh"},
  {type = "dropout", rate = 0.1}, {type = "tanh"}, {type = "sigmoid"}, {type = "dense", units = 10},
]
[train]
batch = 128
shards = 8
epochs = 30
exchange = "tree"
threads = 2
early_stop = {monitor = "test.accuracy", patience = 3, min_delta = 0.01, restore_best = true}
ema = 0.99
[optimizer]
type = "adamw"
lr = 1e-3
schedule = {type = "polynomial", power = 2.0, total_iters = 500, warmup_steps = 50}
clip_norm = 3.0
decay_exclude = ["bias"]
betas = [0.9, 0.99]
eps = 1e-7
weight_decay = 2
[checkpoint]
every_epochs = 2
every_steps = 100
keep = 5
monitor = "test.accuracy"
[log]
every_steps = 10
)";

class RunFiles final : public Kind {
 public:
  RunFiles() {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(LOCKSTEP_SOURCE_DIR "/launch/runs")) {
      if (entry.path().extension() == ".toml") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files) seeds_.push_back(text_of(read_file(file)));
    seeds_.emplace_back(kEveryKey);
    for (const KeyValue& entry : flatten(parse_run(kEveryKey, "the seed with every key"))) {
      if (entry.value.empty()) throw std::runtime_error("the seed with every key lacks " + entry.key);
    }
    // The descriptions of the keys name all types and options.
    words_ = words_of(describe_keys());
  }

  [[nodiscard]] std::string_view name() const override { return "run"; }
  [[nodiscard]] std::vector<Input> seeds() const override { return one_file_each(seeds_); }

  [[nodiscard]] Input mutated(Random& random) const override {
    std::string text = random.pick(seeds_);
    mutate_text(text, words_, seeds_, random);
    return {{std::move(text)}};
  }

  void read(const Input& input, const std::filesystem::path& /*folder*/) const override {
    const RunConfig run = parse_run(input.files[0], "run.toml");
    check_way_back(run);
    RunConfig resolved = resolve_run(run, 1);
    const EngineParts parts(resolved, 8, 1000);
    (void)parts.schedule->factor(1000);
    (void)parse_normalize(resolved.data.normalize);
    const Steering steering(resolved, *parts.loss, parts.model.outputs());
    check_way_back(resolved);
  }

 private:
  // A checkpoint keeps the run as text: what is written must be read back as the same run.
  static void check_way_back(const RunConfig& run) {
    const std::string text = format_run(run);
    RunConfig again;
    try {
      again = parse_run(text, "written");
    } catch (const Error& error) {
      throw WrongResult(fmt::format("the run that was written is refused: {}\n{}", error.what(), text));
    }
    const RunDifference difference = compare_runs(run, again);
    for (const auto* entries : {&difference.allowed, &difference.forbidden}) {
      for (const KeyValue& entry : *entries) {
        throw WrongResult(fmt::format("written and read again, {} changes: {}", entry.key, entry.value));
      }
    }
  }

  std::vector<std::string> seeds_;
  std::vector<std::string> words_;
};

// -------------------------------------------------------------------------------------------------- checkpoints

std::string with_trailer(const std::string& image) {
  return image + text_of(make_trailer(std::as_bytes(std::span(image))));
}

class Checkpoints final : public Kind {
 public:
  Checkpoints() {
    images_ = {sample_image(), plain_image()};
    for (const std::string& image : images_) files_.push_back(with_trailer(image));
  }

  [[nodiscard]] std::string_view name() const override { return "checkpoint"; }
  [[nodiscard]] std::vector<Input> seeds() const override { return one_file_each(files_); }

  // One in four keeps its trailer, which must tell; the others get a right one, as a hostile writer would make it.
  [[nodiscard]] Input mutated(Random& random) const override {
    const std::size_t seed = random.below(files_.size());
    const bool keeps_trailer = random.one_in(4);
    std::string bytes = keeps_trailer ? files_[seed] : images_[seed];
    mutate_bytes(bytes, keeps_trailer ? files_ : images_, random);
    if (!keeps_trailer) return {{with_trailer(bytes)}};
    const bool whole = std::find(files_.begin(), files_.end(), bytes) != files_.end();
    return {{std::move(bytes)}, !whole};
  }

  void read(const Input& input, const std::filesystem::path& folder) const override {
    use_checkpoint(put(folder / "checkpoint.h5", input.files[0]));
  }

 private:
  static std::string built(const CheckpointInfo& info, const CheckpointArrays& arrays) {
    return text_of(build_checkpoint("seed", info, arrays).bytes());
  }

  // Something in every field.
  static std::string sample_image() {
    const SampleState state;
    CheckpointInfo info = sample_info();
    info.restored = Restored{64, 2};
    return built(info, state.arrays());
  }

  // No slots, no history, no normalisation; more weights.
  static std::string plain_image() {
    const RunConfig run =
        parse_run("model.layers = [{type = \"dense\", units = 40}]\noptimizer.type = \"sgd\"", "seed");
    const Model model(run.model, 30);
    std::vector<float> weights(model.parameters().arena_size());
    model.initialize(1, weights);
    CheckpointInfo info;
    info.run = format_run(run);
    info.inputs = 30;
    info.input_shape = {30};
    info.outputs = 40;
    info.seed = run.seed;
    info.shards = 1;
    info.ranks = 1;
    info.versions = sample_info().versions;
    return built(info, {model.parameters(), weights, {}, {}});
  }

  std::vector<std::string> images_;
  std::vector<std::string> files_;  // the images with their trailers
};

// ---------------------------------------------------------------------------------------------------- IDX files

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  constexpr int gzip_window = 15 + 16;  // zlib's word for the gzip format
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib only reads it
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int status = deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  if (status != Z_STREAM_END) throw std::runtime_error("zlib cannot pack a seed");
  return packed;
}

// Small numbers of the type behind a header of this shape; big-endian.
std::string idx(unsigned char type, std::size_t element_bytes, const std::vector<unsigned char>& shape) {
  std::string bytes = {'\0', '\0', static_cast<char>(type), static_cast<char>(shape.size())};
  for (const unsigned char dim : shape) bytes += {'\0', '\0', '\0', static_cast<char>(dim)};
  const std::size_t count = std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
  const bool floating = type >= 0x0D;
  for (std::size_t i = 0; i < count; ++i) {
    std::string number(element_bytes, '\0');
    number.back() = static_cast<char>(i % 10);
    if (floating) number.front() = '\x3F';  // above 0, below 2
    bytes += number;
  }
  return bytes;
}

class IdxFiles final : public Kind {
 public:
  IdxFiles()
      : samples_{idx(0x08, 1, {6, 4, 4}), idx(0x09, 1, {6, 5}),    idx(0x0B, 2, {6, 2, 3}),
                 idx(0x0C, 4, {6, 3}),    idx(0x0D, 4, {6, 2, 2}), idx(0x0E, 8, {6, 3})},
        targets_{idx(0x08, 1, {6}), idx(0x0C, 4, {6}), idx(0x0D, 4, {6, 2}), idx(0x0B, 2, {6, 1})} {}

  [[nodiscard]] std::string_view name() const override { return "idx"; }

  [[nodiscard]] std::vector<Input> seeds() const override {
    std::vector<Input> inputs;
    for (const std::string& x : samples_) {
      for (const std::string& y : targets_) {
        inputs.push_back({{x, y}});
        inputs.push_back({{gzip(x), gzip(y)}});
      }
    }
    return inputs;
  }

  [[nodiscard]] Input mutated(Random& random) const override {
    Input input{{random.pick(samples_), random.pick(targets_)}};
    const std::size_t changed = random.below(3);  // x, y or both
    for (std::size_t file = 0; file < 2; ++file) mutate_file(input.files[file], changed != 1 - file, random);
    return input;
  }

  void read(const Input& input, const std::filesystem::path& folder) const override {
    const DataSource source{put(folder / "x.idx", input.files[0]), put(folder / "y.idx", input.files[1])};
    const Dataset data = read_dataset(source, {});
    std::vector<std::uint32_t> rows(data.samples());
    std::iota(rows.begin(), rows.end(), 0U);
    std::vector<float> x(rows.size() * data.inputs());
    gather_rows(data.x, fit_scaling(NormalizeMethod::standard, data.x), rows, x);
    if (!data.y.is_integer()) return;
    (void)count_classes(data, nullptr, {});
    std::vector<std::int32_t> labels(rows.size());
    gather_labels(data.y, rows, labels);
  }

 private:
  // Packed half of the time; then what is inside is changed, or the packed bytes.
  void mutate_file(std::string& bytes, bool change, Random& random) const {
    const bool packed = random.one_in(2);
    const bool inside = !packed || random.one_in(2);
    if (change && inside) mutate_bytes(bytes, samples_, random);
    if (packed) bytes = gzip(bytes);
    if (change && !inside) mutate_bytes(bytes, samples_, random);
  }

  std::vector<std::string> samples_;
  std::vector<std::string> targets_;
};

}  // namespace

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string put(const std::filesystem::path& file, const std::string& bytes) {
  std::filesystem::remove(file);  // to write over a file can wait for the disk
  std::ofstream stream(file, std::ios::binary);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush();
  if (!stream) throw std::runtime_error("cannot write " + file.string());
  return file.string();
}

std::unique_ptr<Kind> make_run_files() {
  return std::make_unique<RunFiles>();
}
std::unique_ptr<Kind> make_checkpoints() {
  return std::make_unique<Checkpoints>();
}
std::unique_ptr<Kind> make_idx_files() {
  return std::make_unique<IdxFiles>();
}

}  // namespace lockstep::fuzz
