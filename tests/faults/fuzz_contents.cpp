// Checkpoints whose content is changed, as a hostile writer would: numbers, texts and arrays, under a digest and a
// trailer that are right.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <span>

#include "checkpoint/trailer.hpp"
#include "config/run_file.hpp"
#include "export/onnx.hpp"
#include "faults/fuzz_kinds.hpp"
#include "lockstep/error.hpp"
#include "single/checkpoint/sample_checkpoint.hpp"

namespace lockstep::fuzz {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A checkpoint and what it is of.
struct Content {
  CheckpointInfo info = sample_info();
  ParameterTable table = SampleState().table;
  std::vector<std::string> slots = {"exp_avg", "exp_avg_sq"};
  bool ema = true;

  [[nodiscard]] std::string file() const {
    const std::vector<float> arena(table.arena_size(), 0.5F);
    const std::vector<std::string_view> names(slots.begin(), slots.end());
    CheckpointArrays arrays{
        .table = table, .weights = arena, .slot_names = names, .slots = {slots.size(), std::span(arena)}};
    if (ema) arrays.ema = arena;
    const h5::FileImage image = build_checkpoint("content", info, arrays);
    return text_of(image.bytes()) + text_of(make_trailer(image.bytes()));
  }
};

std::int64_t changed(std::int64_t value, Random& random) {
  constexpr std::array<std::int64_t, 8> kOdd = {0,
                                                1,
                                                -1,
                                                0xFFFFFFFF,
                                                0x100000000,
                                                std::numeric_limits<std::int64_t>::max(),
                                                std::numeric_limits<std::int64_t>::min(),
                                                0x7FFFFFFF};
  if (random.one_in(2)) return random.pick(kOdd);
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(value) + random.below(3) - 1);
}

double changed(double value, Random& random) {
  constexpr std::array<double, 9> kOdd = {0, 1, -1, 0.5, kNan, kInfinity, -kInfinity, 1e308, 1e-320};
  return random.one_in(4) ? value * 2 : random.pick(kOdd);
}

template <class T>
void change_list(std::vector<T>& list, const T& other, Random& random) {
  switch (random.below(4)) {
    case 0:
      list.push_back(other);
      break;
    case 1:
      if (!list.empty()) list.pop_back();
      break;
    case 2:
      list.resize(random.below(2000), other);
      break;
    default:
      if (!list.empty()) list[random.below(list.size())] = other;
  }
}

void change_number(CheckpointInfo& info, Random& random) {
  const auto unsigned_number = [&](std::uint64_t& number) {
    number = static_cast<std::uint64_t>(changed(static_cast<std::int64_t>(number), random));
  };
  if (!info.restored) info.restored = Restored{64, 2};
  const std::array<std::uint64_t*, 8> counts = {&info.position.step,  &info.position.epoch, &info.position.position,
                                                &info.sums.samples,   &info.best->step,     &info.best->epoch,
                                                &info.restored->step, &info.restored->epoch};
  const std::array<std::int64_t*, 6> integers = {&info.seed,    &info.shards,       &info.inputs,
                                                 &info.outputs, &info.blas_threads, &info.ranks};
  const std::array<double*, 5> numbers = {&info.sums.loss_sum, &info.sums.weight, &info.sums.seconds,
                                          &info.sums.total_seconds, &info.best->value};
  switch (random.below(3)) {
    case 0:
      unsigned_number(*random.pick(counts));
      break;
    case 1: {
      std::int64_t& number = *random.pick(integers);
      number = changed(number, random);
      break;
    }
    default: {
      double& number = *random.pick(numbers);
      number = changed(number, random);
    }
  }
}

void change_scaling(CheckpointInfo& info, Random& random) {
  constexpr std::array<const char*, 5> kNames = {"x_shift", "x_scale", "y_shift", "y_scale", "z_scale"};
  const std::string name = random.pick(kNames);
  const auto found = info.normalization.find(name);
  if (found == info.normalization.end()) {
    info.normalization[name] = std::vector<double>(1 + random.below(6), 2.0);
  } else if (random.one_in(3)) {
    info.normalization.erase(found);
  } else if (random.one_in(2)) {
    change_list(found->second, 1.0, random);
  } else {
    double& number = found->second[random.below(found->second.size())];
    number = changed(number, random);
  }
}

void change_history(History& history, Random& random) {
  const std::array<std::string, 6> names = {"step", "other", "../other", "train_loss", "", "a\nb"};
  switch (random.below(3)) {
    case 0:
      history.columns[random.below(history.columns.size())] = random.pick(names);
      break;
    case 1:
      history.rows.resize(random.below(8) * history.columns.size(), 1.0);
      break;
    default:
      if (!history.rows.empty()) {
        double& number = history.rows[random.below(history.rows.size())];
        number = changed(number, random);
      }
  }
}

void change_table(Content& content, Random& random) {
  ParameterTable table;
  const std::size_t chosen = random.below(content.table.entries().size());
  for (std::size_t i = 0; i < content.table.entries().size(); ++i) {
    Parameter parameter = content.table.entries()[i];
    if (i == chosen && random.one_in(4)) continue;
    if (i == chosen && random.one_in(3)) parameter.name += "x";
    if (i == chosen) change_list(parameter.shape, std::size_t{1 + random.below(3)}, random);
    if (parameter.shape.size() > 8) parameter.shape = {7};
    table.add(parameter.layer, parameter.name, parameter.shape, parameter.kind);
  }
  content.table = table;
}

class Contents final : public Kind {
 public:
  Contents() {
    seed_ = Content().file();
    words_ = words_of(describe_keys() + sample_run());
  }

  [[nodiscard]] std::string_view name() const override { return "content"; }
  [[nodiscard]] std::vector<Input> seeds() const override { return {Input{{seed_}}}; }

  [[nodiscard]] Input mutated(Random& random) const override {
    Content content;
    for (std::size_t changes = 1 + random.below(3); changes > 0; --changes) change(content, random);
    try {
      return {{content.file()}};
    } catch (const Error&) {
      return {{seed_}};  // of what HDF5 does not take
    }
  }

  void read(const Input& input, const std::filesystem::path& folder) const override {
    const std::filesystem::path file = folder / "content.h5";
    put(file, input.files[0]);
    use_checkpoint(file.string());
  }

 private:
  void change(Content& content, Random& random) const {
    CheckpointInfo& info = content.info;
    const std::array<std::string*, 6> texts = {
        &info.train_fingerprint, &info.exchange, &info.best->monitor, &info.hosts, &info.run, &info.run};
    const std::array<std::vector<std::string>*, 5> lists = {
        &info.class_names, &info.columns.features, &info.columns.targets, &info.columns.categorical, &content.slots};
    switch (random.below(8)) {
      case 0:
      case 1:
        change_number(info, random);
        break;
      case 2:
        mutate_text(*random.pick(texts), words_, {sample_run()}, random);
        break;
      case 3:
        change_scaling(info, random);
        break;
      case 4:
        change_history(info.history, random);
        break;
      case 5:
        change_table(content, random);
        break;
      case 6:
        change_list(*random.pick(lists), std::string("c=other"), random);
        break;
      default:
        content.ema = !content.ema;
    }
  }

  std::string seed_;
  std::vector<std::string> words_;
};

}  // namespace

void use_checkpoint(const std::string& file) {
  const Checkpoint checkpoint = read_checkpoint(file);
  const CheckpointInfo info = decode_info(encode_info(checkpoint.info), file);
  const RunConfig run = parse_run(info.run, file);
  const Model model(run.model, Shape(info.input_shape));
  check_same_parameters(model.parameters(), checkpoint.table, file);
  const auto part = [&](const char* name) {
    const auto found = info.normalization.find(name);
    return found == info.normalization.end() ? std::vector<double>{} : found->second;
  };
  const Normalization normalization{.x = {part("x_shift"), part("x_scale")}, .y = {part("y_shift"), part("y_scale")}};
  if (normalization.x.shift.size() != normalization.x.scale.size()) throw WrongResult("half a normalisation");
  (void)build_onnx({.run = run,
                    .info = info,
                    .model = model,
                    .task = make_loss(run.model.loss)->task(),
                    .weights = checkpoint.net(),
                    .normalization = normalization});
}

std::unique_ptr<Kind> make_contents() {
  return std::make_unique<Contents>();
}

}  // namespace lockstep::fuzz
