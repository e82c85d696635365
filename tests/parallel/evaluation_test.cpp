// Scores over several ranks against one rank and against plain arithmetic.
#include "score/evaluation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/range.hpp"
#include "parallel/training.hpp"
#include "score/sample_answers.hpp"
#include "support/expect_error.hpp"

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

// tests/golden/make_scores.py: scikit-learn's, by the outputs; sigmoid would make ties, softmax another order.
TEST_F(EvaluationTest, OutputsThatAreNoProbabilitiesAreRankedThemselves) {
  std::ifstream file(LOCKSTEP_SOURCE_DIR "/tests/golden/scores.json");
  const auto golden = nlohmann::json::parse(file);
  ASSERT_FALSE(golden["margins"].empty());
  for (const auto& one : golden["margins"]) {
    const auto width = one["classes"].get<std::size_t>();
    auto outputs = one["outputs"].get<std::vector<float>>();
    const auto labels = one["labels"].get<std::vector<std::int32_t>>();
    const std::vector<float> values(labels.begin(), labels.end());
    const bool weighted = !one["weights"].is_null();
    const auto weights = weighted ? one["weights"].get<std::vector<float>>() : std::vector<float>{};
    const auto loss = make_loss({width == 1 ? "hinge" : "multi_margin"});
    const Range mine =
        part_of(labels.size(), static_cast<std::size_t>(world.rank()), static_cast<std::size_t>(world.size()));
    const auto part = [&](const auto& all, std::size_t columns) {
      return all.empty() ? std::span(all.data(), 0)
                         : std::span(all).subspan(mine.begin * columns, mine.size() * columns);
    };
    const auto scores_of = [&] {
      SampleAnswers said(*loss, width, {}, {.weights = weighted});
      said.add(part(outputs, width), {.labels = width == 1 ? std::span<const std::int32_t>() : part(labels, 1),
                                      .values = width == 1 ? part(values, 1) : std::span<const float>(),
                                      .weights = part(weights, 1)});
      said.gather(world);
      Scores scores;
      said.score(world, true, scores);
      return scores;
    };
    EXPECT_NEAR(scores_of().auc.value(), one["auc"], 1e-9) << width;
    EXPECT_NEAR(scores_of().average_precision.value(), one["average_precision"], 1e-9) << width;
    // What is not a number comes last, whatever the others are.
    const auto ones = static_cast<std::size_t>(std::ranges::find(labels, 1) - labels.begin());
    outputs[ones * width + (width == 1 ? 0 : 1)] = std::numeric_limits<float>::quiet_NaN();
    const double with_nan = scores_of().auc.value();
    outputs[ones * width + (width == 1 ? 0 : 1)] = -1e30F;
    EXPECT_EQ(with_nan, scores_of().auc.value());
  }
}

TEST_F(EvaluationTest, OfOneTargetAllScoresAreThoseOfTheTargetToTheBit) {
  constexpr std::size_t kSamples = 700;
  for (const auto& [type, outputs] :
       {std::pair{"mse", std::int64_t{1}}, {"gaussian_nll", 2}, {"poisson_nll", 1}, {"quantile", 3}}) {
    RunConfig run = test::make_run(4, "tree");
    run.model.loss = {type};
    run.model.layers.back().options = {{"units", outputs}};
    const auto engine = test::make_engine(world, run);
    Dataset data = test::make_dataset(kSamples);
    std::vector<float> y;
    for (std::size_t i = 0; i < kSamples; ++i) y.push_back(static_cast<float>(i % 37) / 3 + 1);
    data.y = make_table(1, std::move(y));
    Normalization units;
    if (engine->loss().normalizes_targets()) units.y = {{6.3}, {0.7}};
    for (const bool weighted : {false, true}) {
      if (weighted) data.w = make_table(1, std::vector<float>(kSamples, 0.3F));
      const Scores scores = evaluate(world, net_of(*engine), data, units);
      ASSERT_EQ(scores.targets.size(), 1U);
      EXPECT_EQ(scores.rmse, scores.targets[0].rmse) << type;
      EXPECT_EQ(scores.mae, scores.targets[0].mae) << type;
      EXPECT_EQ(scores.r2, scores.targets[0].r2) << type;
      EXPECT_EQ(scores.mape, scores.targets[0].mape) << type;
    }
  }
}

TEST_F(EvaluationTest, SamplesThatWeighNothingAreRefused) {
  const auto engine = test::make_engine(world, test::make_run(4, "tree"));
  Dataset data = test::make_dataset(2);
  for (const std::vector<float>& weights : {std::vector<float>{0, 0}, {1, -1}, {1, -2}}) {
    data.w = make_table(1, weights);
    expect_error(ErrorKind::data, {"the 2 samples to be scored weigh", "expected more than 0"},
                 [&] { (void)evaluate(world, net_of(*engine), data, {}); });
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
