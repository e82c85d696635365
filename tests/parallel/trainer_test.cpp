// The public Trainer, as another program uses it.
#include "lockstep/trainer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "core/random.hpp"
#include "core/range.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kInputs = 3;

RunConfig regression() {
  RunConfig run;
  run.model.loss = {"mse"};
  run.model.layers = {{"dense", {{"units", 8}}}, {"tanh"}, {"dense", {{"units", 2}}}};
  run.train.shards = 12;  // divisible by 1, 2, 3 and 4 ranks: every rank has equal shards
  run.optimizer = {.type = "sgd", .lr = 0.1, .options = {{"momentum", 0.9}}};
  return run;
}

class TrainerTest : public testing::Test {
 protected:
  TrainerTest() : x(kSamples * kInputs), y(kSamples * 2) {
    fill_uniform({1, RandomPurpose::bench, 0, 0, 0}, -1.0F, 1.0F, x);
    for (std::size_t i = 0; i < kSamples; ++i) {
      y[2 * i] = x[3 * i] * x[3 * i + 1];
      y[2 * i + 1] = x[3 * i + 2] - x[3 * i];
    }
    mine = part_of(kSamples, static_cast<std::size_t>(comm.rank()), static_cast<std::size_t>(comm.size()));
  }

  [[nodiscard]] LocalSamples part(Range range) const {
    return {std::span(x).subspan(range.begin * kInputs, range.size() * kInputs),
            std::span(y).subspan(range.begin * 2, range.size() * 2)};
  }

  static constexpr std::size_t kSamples = 120;
  Communicator comm{MPI_COMM_WORLD};
  std::vector<float> x;
  std::vector<float> y;
  Range mine;
};

TEST_F(TrainerTest, RanksWithPartsOfABatchDoWhatOneRankDoesWithAll) {
  Trainer together(MPI_COMM_WORLD, regression(), kInputs);
  Trainer alone(MPI_COMM_SELF, regression(), kInputs);
  for (int step = 0; step < 20; ++step) {
    const StepResult a = together.train_step(part(mine));
    const StepResult b = alone.train_step(part({0, kSamples}));
    EXPECT_EQ(a.loss, b.loss);
    EXPECT_EQ(a.samples, kSamples);
  }
  EXPECT_EQ(together.digest(), alone.digest());
  EXPECT_EQ(together.steps(), 20U);
}

TEST_F(TrainerTest, LearnsAndScores) {
  Trainer trainer(MPI_COMM_WORLD, regression(), kInputs);
  EXPECT_EQ(trainer.inputs(), kInputs);
  EXPECT_EQ(trainer.outputs(), 2U);
  EXPECT_EQ(trainer.num_parameters(), 8U * 3 + 8 + 2 * 8 + 2);
  const double before = trainer.evaluate(part(mine)).loss;
  for (int step = 0; step < 200; ++step) trainer.train_step(part(mine));
  const Scores after = trainer.evaluate(part(mine));
  EXPECT_LT(after.loss, 0.1 * before);
  EXPECT_EQ(after.samples, kSamples);
  std::vector<float> outputs(mine.size() * 2);
  trainer.predict(part(mine).x, outputs);
  double error = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) error += std::abs(outputs[i] - y[mine.begin * 2 + i]);
  EXPECT_LT(error / static_cast<double>(outputs.size()), 0.2);
}

TEST_F(TrainerTest, ARankWithoutSamplesTakesPart) {
  Trainer trainer(MPI_COMM_WORLD, regression(), kInputs);
  const Range only_last = comm.rank() == comm.size() - 1 ? Range{0, 5} : Range{0, 0};
  EXPECT_EQ(trainer.train_step(part(only_last)).samples, 5U);
  EXPECT_EQ(trainer.evaluate(part(only_last)).samples, 5U);
}

TEST_F(TrainerTest, NoSamplesAtAllIsAnErrorOnEveryRank) {
  Trainer trainer(MPI_COMM_WORLD, regression(), kInputs);
  expect_error(ErrorKind::usage, {"no rank has any samples"}, [&] { trainer.train_step(part({0, 0})); });
  expect_error(ErrorKind::usage, {"no rank has any samples"}, [&] { (void)trainer.evaluate(part({0, 0})); });
}

TEST_F(TrainerTest, WrongSizesOnOneRankAreAnErrorOnEveryRank) {
  Trainer trainer(MPI_COMM_WORLD, regression(), kInputs);
  LocalSamples samples = part(mine);
  if (comm.rank() == comm.size() - 1) samples.values = samples.values.first(samples.values.size() - 1);
  expect_error(ErrorKind::usage, {"target values"}, [&] { trainer.train_step(samples); });
  EXPECT_NO_THROW(trainer.train_step(part(mine)));
}

// Weights as counts do what copies of the samples do, but for the last bits; a negative one takes a copy away again.
TEST_F(TrainerTest, WeightsCountSamples) {
  Trainer weighted(MPI_COMM_WORLD, regression(), kInputs);
  Trainer copied(MPI_COMM_WORLD, regression(), kInputs);
  std::vector<float> weights(mine.size(), 1.0F);
  std::vector<float> more_x, more_y;
  const auto copy = [&](std::size_t i) {
    const LocalSamples one = part({mine.begin + i, mine.begin + i + 1});
    more_x.insert(more_x.end(), one.x.begin(), one.x.end());
    more_y.insert(more_y.end(), one.values.begin(), one.values.end());
  };
  for (std::size_t i = 0; i < mine.size(); ++i) {
    weights[i] = static_cast<float>(i % 4);
    for (std::size_t copies = 0; copies < i % 4; ++copies) copy(i);
  }
  LocalSamples samples = part(mine);
  samples.weights = weights;
  for (int step = 0; step < 5; ++step) {
    const StepResult a = weighted.train_step(samples);
    const StepResult b = copied.train_step(LocalSamples{more_x, more_y});
    EXPECT_NEAR(a.loss, b.loss, 1e-6);
    EXPECT_EQ(a.weight, b.weight);
    EXPECT_EQ(a.weight, a.weight_sum);
    EXPECT_EQ(a.samples, kSamples);
  }
  const Scores a = weighted.evaluate(samples);
  const Scores b = copied.evaluate(LocalSamples{more_x, more_y});
  EXPECT_NEAR(a.rmse.value(), b.rmse.value(), 1e-5);
  EXPECT_NEAR(a.r2.value(), b.r2.value(), 1e-5);
  EXPECT_EQ(a.unweighted.size(), a.named().size());
  EXPECT_TRUE(b.unweighted.empty());
  weights.front() = comm.rank() == 0 ? -0.5F : 1.0F;
  const StepResult negative = weighted.train_step(samples);
  EXPECT_EQ(negative.weight - negative.weight_sum, 1.0);
}

TEST_F(TrainerTest, WeightsAreCheckedAndMayLeaveNothing) {
  Trainer trainer(MPI_COMM_WORLD, regression(), kInputs);
  std::vector<float> weights(mine.size(), 0.0F);
  LocalSamples samples = part(mine);
  samples.weights = weights;
  const std::string before = trainer.digest();
  const StepResult skipped = trainer.train_step(samples);
  EXPECT_EQ(skipped.skipped, "all its samples have weight 0");
  weights.back() = comm.rank() == comm.size() - 1 ? std::numeric_limits<float>::infinity() : 1.0F;
  expect_error(ErrorKind::usage, {"weight inf"}, [&] { trainer.train_step(samples); });
  samples.weights = samples.weights.first(mine.size() - 1);
  expect_error(ErrorKind::usage, {"samples with", "weights"}, [&] { trainer.train_step(samples); });
}

TEST_F(TrainerTest, TargetsMayBeMissing) {
  Trainer gaps(MPI_COMM_WORLD, regression(), kInputs);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (std::size_t i = 0; i < kSamples; ++i) y[2 * i + 1] = i < 3 || i % 3 == 0 ? nan : y[2 * i + 1];
  y[0] = nan;  // a sample without any
  const StepResult step = gaps.train_step(part(mine));
  EXPECT_DOUBLE_EQ(step.weight, (2.0 * kSamples - 42 - 1) / 2);
  EXPECT_TRUE(std::isfinite(step.loss));
  const Scores scores = gaps.evaluate(part(mine));
  std::vector<float> outputs(kSamples * 2);
  gaps.predict(x, outputs);
  double squares = 0, count = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (std::isnan(y[i])) continue;
    squares += (double{outputs[i]} - y[i]) * (double{outputs[i]} - y[i]);
    ++count;
  }
  EXPECT_NEAR(scores.rmse.value(), std::sqrt(squares / count), 1e-9);
}

TEST_F(TrainerTest, LabelsAreChecked) {
  RunConfig run = regression();
  run.model.loss = {"softmax_cross_entropy"};
  Trainer trainer(MPI_COMM_WORLD, run, kInputs);
  std::vector<std::int32_t> labels(mine.size(), 1);
  LocalSamples samples{part(mine).x, {}, labels};
  EXPECT_NO_THROW(trainer.train_step(samples));
  labels.back() = comm.rank() == 0 ? 2 : 1;
  expect_error(ErrorKind::usage, {"label 2"}, [&] { trainer.train_step(samples); });
}

TEST_F(TrainerTest, TwoTrainersLiveSideBySide) {
  Trainer first(MPI_COMM_WORLD, regression(), kInputs);
  Trainer second(MPI_COMM_WORLD, regression(), kInputs);
  for (int step = 0; step < 3; ++step) first.train_step(part(mine));
  EXPECT_NE(first.digest(), second.digest());
  for (int step = 0; step < 3; ++step) second.train_step(part(mine));
  EXPECT_EQ(first.digest(), second.digest());
  const Trainer moved = std::move(first);
  EXPECT_EQ(moved.digest(), second.digest());
}

TEST_F(TrainerTest, SavesAndLoads) {
  const TemporaryFolder folder;
  const std::string path = comm.broadcast_text((folder.path() / "net.h5").string());
  Trainer first(MPI_COMM_WORLD, regression(), kInputs);
  first.train_step(part(mine));
  first.save(path);
  Trainer second(MPI_COMM_WORLD, regression(), kInputs);
  second.load(path);
  EXPECT_EQ(second.steps(), 1U);
  first.train_step(part(mine));
  second.train_step(part(mine));
  EXPECT_EQ(first.digest(), second.digest());
  expect_error(ErrorKind::data, {"missing.h5"}, [&] { second.load(path + "missing.h5"); });
}

TEST_F(TrainerTest, AScheduleOverAnUnknownLengthIsRefused) {
  RunConfig run = regression();
  run.optimizer.schedule = {"cosine"};
  expect_error(ErrorKind::config, {"total_steps"}, [&] { Trainer(MPI_COMM_WORLD, run, kInputs); });
  EXPECT_NO_THROW(Trainer(MPI_COMM_WORLD, run, kInputs, {.total_steps = 10}));
}

TEST_F(TrainerTest, ABadRunIsAnErrorOnEveryRank) {
  RunConfig run = regression();
  run.train.shards = comm.size() == 1 ? 0 : comm.size() - 1;
  EXPECT_THROW(Trainer(MPI_COMM_WORLD, run, kInputs), Error);
  run = regression();
  run.model.layers[1].type = "swish";
  expect_error(ErrorKind::config, {"swish", "relu"}, [&] { Trainer(MPI_COMM_WORLD, run, kInputs); });
}

TEST_F(TrainerTest, TellsThatAllreduceDependsOnTheRankCount) {
  RunConfig run = regression();
  run.train.exchange = "allreduce";
  std::string said;
  const Trainer trainer(MPI_COMM_WORLD, run, kInputs, {.log = [&](LogLevel, std::string_view text) { said += text; }});
  const bool expected = comm.size() > 1 && comm.is_root();
  EXPECT_EQ(said.find("depend on the rank count") != std::string::npos, expected);
}

}  // namespace
}  // namespace lockstep
