// A Trainer that has loaded the checkpoint of a normalised run: in the units of the data, to the bits of the program.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "checkpoint/retention.hpp"
#include "config/run_file.hpp"
#include "core/random.hpp"
#include "feed/dataset_batch.hpp"
#include "feed/load_dataset.hpp"
#include "feed/run_data.hpp"
#include "lockstep/trainer.hpp"
#include "net/kept_normalization.hpp"
#include "run/fit.hpp"
#include "score/evaluation.hpp"
#include "score/prediction.hpp"
#include "single/data/sample_files.hpp"
#include "step/engine.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kRawSamples = 240;
constexpr std::size_t kRawInputs = 3;

// Keeps the answers of the program.
class KeptAnswers final : public PredictionFile {
 public:
  void encode(const Predictions& predictions, std::vector<std::byte>& bytes) const override {
    const auto more = std::as_bytes(std::span(predictions.values));
    bytes.insert(bytes.end(), more.begin(), more.end());
  }
  void open(std::function<void()> /*alive*/) override {}
  void add(Range /*rows*/, std::span<const std::byte> bytes) override {
    const std::size_t before = values.size();
    values.resize(before + bytes.size() / sizeof(double));
    std::memcpy(values.data() + before, bytes.data(), bytes.size());
  }
  void commit() override {}
  std::vector<double> values;
};

class LoadedTrainer : public testing::Test {
 protected:
  LoadedTrainer() : x(kRawSamples * kRawInputs), y(kRawSamples * 2) {
    fill_uniform({1, RandomPurpose::bench, 0, 0, 0}, 300.0F, 700.0F, x);
    for (std::size_t i = 0; i < kRawSamples; ++i) {
      y[2 * i] = 10 * x[3 * i] - x[3 * i + 1];
      y[2 * i + 1] = x[3 * i + 2] / 100;
    }
    run.model.layers = {{"dense", {{"units", 8}}}, {"tanh"}, {"dense", {{"units", 2}}}};
    run.data.normalize = "standard";
    run.data.train = {(place / "data.h5").string()};
    run.train.batch = 48;
    run.train.shards = 12;  // of 4 samples each
    run.train.epochs = 3;
    run.optimizer = {.type = "adam", .lr = 0.02};
    world.at_root([&] {
      SampleFile(run.data.train.x)
          .add<float>("/x", {kRawSamples, kRawInputs}, x)
          .add<float>("/y", {kRawSamples, 2}, y)
          .text_attribute("/", "features", R"(["a", "b", "c"])")
          .text_attribute("/", "targets", R"(["p", "q"])");
    });
    FitOptions options;
    options.output = (place / "run").string();
    (void)fit(world, run, options);
    checkpoint = checkpoint_path(options.output + "/checkpoints", 15);
  }

  // The net as the program has it.
  struct Program {
    std::unique_ptr<Engine> engine;
    Normalization normalization;
    [[nodiscard]] Net net() const { return {engine->model(), engine->loss(), engine->weights()}; }
  };
  [[nodiscard]] Program program() const {
    Program program{std::make_unique<Engine>(world, run, EngineParts(run, kRawInputs, 100)), {}};
    std::optional<Checkpoint> read;
    if (world.is_root()) read = read_checkpoint(checkpoint);
    program.engine->load(read ? &*read : nullptr, checkpoint);
    program.normalization = normalization_of(program.engine->info);
    return program;
  }
  [[nodiscard]] Trainer loaded(RunConfig plain) const {
    plain.data = {};
    Trainer trainer(MPI_COMM_WORLD, plain, kRawInputs);
    trainer.load(checkpoint);
    return trainer;
  }

  Communicator world{MPI_COMM_WORLD};
  TemporaryFolder own;
  std::filesystem::path place{world.broadcast_text(own.path().string())};
  std::vector<float> x, y;
  RunConfig run;
  std::string checkpoint;
};

TEST_F(LoadedTrainer, PredictsFromRawNumbersWhatTheProgramDoes) {
  const Trainer trainer = loaded(run);
  std::vector<float> answers(kRawSamples * 2);
  trainer.predict(x, answers);
  const Program by = program();
  OpenDataset samples = open_samples(run.data.train);
  KeptAnswers file;
  predict_to_file(world, by.net(), *samples.x, by.normalization, file);
  if (!world.is_root()) return;
  ASSERT_EQ(file.values.size(), answers.size());
  for (std::size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(answers[i], static_cast<float>(file.values[i]));
  EXPECT_NEAR(answers[0], y[0], 3000) << "in the units of the targets";
}

TEST_F(LoadedTrainer, EvaluatesRawNumbersAsTheProgramDoes) {
  Trainer trainer = loaded(run);
  LocalSamples samples;  // all on one rank: blocks are those of the program
  if (world.is_root()) samples = {.x = x, .values = y};
  const Scores found = trainer.evaluate(samples);
  const Program by = program();
  const Scores expected =
      evaluate(world, by.net(), load_dataset(world, run.data.train, {}), by.normalization, {}, {.by_order = true});
  EXPECT_EQ(found.named(), expected.named());
  EXPECT_GT(*found.rmse, 10 * std::sqrt(found.loss)) << "the loss is in normalised units, rmse in those of the targets";
}

TEST_F(LoadedTrainer, TrainsOnRawNumbersToTheBitsOfTheProgram) {
  Trainer by_batch = loaded(run);
  Trainer by_samples = loaded(run);
  Program by = program();
  const Dataset data = load_dataset(world, run.data.train, {});
  const Normalization none;
  const EpochPlan plan{kRawSamples, 48};
  const ShardPlan shards = by.engine->shards();
  DatasetBatch raw(data, none, plan, shards, 1);
  DatasetBatch normalized(data, by.normalization, plan, shards, 1);
  raw.start_epoch(3);
  normalized.start_epoch(3);
  const Range owned = shards.owned(static_cast<std::size_t>(world.rank()));
  for (std::size_t b = 0; b < plan.batches(); ++b) {
    raw.select(b);
    normalized.select(b);
    std::vector<float> mine_x(owned.size() * 4 * kRawInputs), mine_y(owned.size() * 4 * 2);
    std::vector<std::uint32_t> numbers(4);
    for (std::size_t s = 0; s < owned.size(); ++s) {
      raw.gather(owned.begin + s, {.x = std::span(mine_x).subspan(s * 4 * kRawInputs, 4 * kRawInputs),
                                   .values = std::span(mine_y).subspan(s * 8, 8),
                                   .samples = numbers});
    }
    const double loss = by.engine->train_step(normalized).loss;
    EXPECT_EQ(by_batch.train_step(raw).loss, loss);
    EXPECT_EQ(by_samples.train_step({.x = mine_x, .values = mine_y}).loss, loss);
  }
  EXPECT_EQ(by_batch.digest(), by.engine->digest());
  EXPECT_EQ(by_samples.digest(), by.engine->digest());
}

TEST_F(LoadedTrainer, SavesWhatBelongsToTheNet) {
  const Trainer first = loaded(run);
  const std::string saved = (place / "saved.h5").string();
  first.save(saved);
  Trainer fresh(MPI_COMM_WORLD, run, kRawInputs);  // its run says "standard", but nothing was fitted
  const std::string unfitted = (place / "fresh.h5").string();
  fresh.save(unfitted);
  Trainer again(MPI_COMM_WORLD, run, kRawInputs);
  again.load(saved);
  std::vector<float> one(kRawSamples * 2), other(kRawSamples * 2);
  first.predict(x, one);
  again.predict(x, other);
  EXPECT_EQ(one, other);
  if (!world.is_root()) return;
  const CheckpointInfo before = read_checkpoint(checkpoint).info;
  const CheckpointInfo info = read_checkpoint(saved).info;
  EXPECT_EQ(info.normalization.size(), 4U);
  EXPECT_EQ(info.normalization, before.normalization);
  EXPECT_EQ(info.columns, (ColumnNames{.features = {"a", "b", "c"}, .targets = {"p", "q"}}));
  EXPECT_EQ(info.train_fingerprint, before.train_fingerprint);
  EXPECT_EQ(parse_run(info.run, "").data.normalize, "standard");
  EXPECT_EQ(parse_run(info.run, "").data.train, run.data.train);
  EXPECT_TRUE(read_checkpoint(unfitted).info.normalization.empty());
  EXPECT_EQ(parse_run(read_checkpoint(unfitted).info.run, "").data.normalize, "none");
}

TEST_F(LoadedTrainer, AThresholdThatARunHasChosenIsGoneWithTheNextStep) {
  RunConfig binary = run;
  binary.model.loss = {"binary_cross_entropy"};
  binary.model.layers.back().options = {{"units", 1}};
  binary.data.train = {(place / "binary.h5").string()};
  binary.data.validation = 0.3;
  binary.decision.threshold = {.rule = "youden"};
  std::vector<float> ones(kRawSamples);
  for (std::size_t i = 0; i < kRawSamples; ++i) ones[i] = x[3 * i] > 500 ? 1.0F : 0.0F;
  world.at_root([&] {
    SampleFile(binary.data.train.x)
        .add<float>("/x", {kRawSamples, kRawInputs}, x)
        .add<float>("/y", {kRawSamples}, ones);
  });
  FitOptions options;
  options.output = (place / "binary").string();
  checkpoint = fit(world, binary, options).checkpoint;
  checkpoint = world.broadcast_text(checkpoint);
  Trainer trainer = loaded(binary);
  const auto decision_of = [&](const char* name) {
    const std::string saved = (place / name).string();
    trainer.save(saved);
    std::uint32_t has = 0;
    if (world.is_root()) has = read_checkpoint(saved).info.decision ? 1 : 0;
    return world.combine(has) != 0;
  };
  EXPECT_TRUE(decision_of("before.h5"));
  (void)trainer.train_step({.x = x, .values = ones});
  EXPECT_FALSE(decision_of("after.h5"));
}

TEST_F(LoadedTrainer, NormalisedTargetsAreNoLabels) {
  RunConfig other = run;
  other.model.loss = {"softmax_cross_entropy"};
  expect_error(ErrorKind::data, {"targets are normalised values"}, [&] { (void)loaded(other); });
}

}  // namespace
}  // namespace lockstep
