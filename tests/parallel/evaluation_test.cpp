// Scores over several ranks against one rank and against plain arithmetic.
#include "train/evaluation.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "parallel/training.hpp"

namespace lockstep {
namespace {

class EvaluationTest : public testing::Test {
 protected:
  Communicator world{MPI_COMM_WORLD};
  Communicator self{MPI_COMM_SELF};
};

Net net_of(const Engine& engine) {
  return {engine.model(), engine.loss(), engine.weights()};
}

TEST_F(EvaluationTest, ScoresAreTheSameBitsAtAnyRankCount) {
  // 1 block, a full and a short block, and many blocks; fewer blocks than ranks too.
  const auto engine = test::make_engine(world, test::make_run(4, "tree"));
  for (const std::size_t samples : {std::size_t{1}, std::size_t{255}, std::size_t{257}, std::size_t{2900}}) {
    const Dataset data = test::make_dataset(samples);
    const Scores together = evaluate(world, net_of(*engine), data, {}, {}, {.by_order = true});
    const Scores alone = evaluate(self, net_of(*engine), data, {}, {}, {.by_order = true});
    EXPECT_EQ(together.auc.has_value(), samples > 1);
    EXPECT_EQ(together.named(), alone.named()) << samples;
    EXPECT_EQ(together.confusion, alone.confusion) << samples;
    EXPECT_EQ(together.samples, samples);
  }
}

TEST_F(EvaluationTest, EverySampleCountsOnce) {
  const auto engine = test::make_engine(world, test::make_run(4, "tree"));
  const Dataset data = test::make_dataset(700);
  const Scores scores = evaluate(world, net_of(*engine), data, {});
  std::int64_t counted = 0;
  std::int64_t right = 0;
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 3; ++column) {
      counted += scores.confusion[row * 3 + column];
      if (row == column) right += scores.confusion[row * 3 + column];
    }
  }
  EXPECT_EQ(counted, 700);
  EXPECT_DOUBLE_EQ(scores.accuracy.value(), static_cast<double>(right) / 700.0);

  // The same from the outputs, one by one.
  const std::span x(reinterpret_cast<const float*>(data.x.bytes.data()), 700 * 6);
  const std::span y(reinterpret_cast<const std::int32_t*>(data.y.bytes.data()), 700);
  std::vector<float> outputs(700 * 3);
  predict(net_of(*engine), Normalization{}, x, outputs);
  double loss = 0;
  for (std::size_t i = 0; i < 700; ++i) {
    double sum = 0;
    for (std::size_t c = 0; c < 3; ++c) sum += std::exp(static_cast<double>(outputs[3 * i + c]));
    loss += std::log(sum) - static_cast<double>(outputs[3 * i + static_cast<std::size_t>(y[i])]);
  }
  EXPECT_NEAR(scores.loss, loss / 700.0, 1e-6);  // float32 inside the loss
}

// Without weights, as a net with weights finds it.
TEST_F(EvaluationTest, WhetherThereIsAnR2IsKnownFromTheTargets) {
  RunConfig run = test::make_run(4, "tree");
  run.model.loss = {"mse"};
  run.model.layers = {{"dense", {{"units", 2}}}};
  const auto engine = test::make_engine(world, run);
  for (const std::size_t samples : {std::size_t{1}, std::size_t{300}}) {
    for (const bool varies : {true, false}) {
      Dataset data = test::make_dataset(samples);
      std::vector<float> y(2 * samples, 7.5F);
      for (std::size_t i = 0; i < samples; ++i) y[2 * i] = static_cast<float>(i);
      if (varies) y.back() = -2;
      data.y = make_table(2, std::move(y));
      const bool has = has_r2(world, engine->loss(), data, {});
      EXPECT_EQ(has, evaluate(world, net_of(*engine), data, {}).r2.has_value());
      EXPECT_EQ(has, varies && samples > 1);
      const std::vector<std::uint32_t> one(1, 0);
      EXPECT_FALSE(has_r2(world, engine->loss(), data, {}, one));
    }
  }
}

TEST_F(EvaluationTest, PredictRefusesSizesThatDoNotFit) {
  const auto engine = test::make_engine(self, test::make_run(1, "tree"));
  std::vector<float> x(13);
  std::vector<float> outputs(6);
  EXPECT_THROW(predict(net_of(*engine), Normalization{}, x, outputs), Error);
}

}  // namespace
}  // namespace lockstep
