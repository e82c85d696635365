// The prediction against what can be said without it: limits, and small cases counted by hand.
#include "run/scaling_model.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace lockstep {
namespace {

// Two layers; the second one is the smaller.
StepCosts two_layers(std::size_t hosts) {
  StepCosts costs;
  costs.layers = {{1, 2, 0, 300, 300}, {3, 4, 5, 100, 100}};
  costs.gather = 0.5;
  costs.update = 0.25;
  costs.wait = 0.125;
  costs.hosts = hosts;
  costs.network = {0.01, 100};
  return costs;
}

TEST(PredictStep, OnOneHostAddsUpWithoutCommunication) {
  const StepForecast step = predict_step(two_layers(1));
  EXPECT_DOUBLE_EQ(step.compute, 15.5);
  EXPECT_EQ(step.exposed, 0);
  EXPECT_DOUBLE_EQ(step.total(), 15.875);
}

TEST(PredictStep, WithoutComputeIsTheTrafficAndTheLatencies) {
  for (const std::size_t hosts : {2U, 3U, 8U}) {
    StepCosts costs = two_layers(hosts);
    for (LayerTimes& layer : costs.layers) layer.forward = layer.weight_gradient = layer.input_gradient = 0;
    costs.gather = costs.update = costs.wait = 0;
    const double count = static_cast<double>(hosts);
    const double traffic = 2 * (count - 1) / count * 400 / 100;
    EXPECT_NEAR(predict_step(costs).total(), traffic + 3 * std::ceil(std::log2(count)) * 0.01, 1e-12) << hosts;
  }
}

TEST(PredictStep, OnAnEndlessBandwidthExposesTheLatenciesAlone) {
  StepCosts costs = two_layers(4);
  costs.network.bandwidth = 1e30;
  const StepForecast step = predict_step(costs);
  EXPECT_NEAR(step.exposed, 3 * 2 * 0.01, 1e-12);
  EXPECT_DOUBLE_EQ(step.compute, 15.5);
}

TEST(PredictStep, HidesWhatFitsBehindThePasses) {
  // Weights: the first layer's are there at 1.5, one after the gather; the second layer's at 2, before it is reached.
  // Gradients: the second layer's, there at 9.5, has gone by 10; the first layer's, there at 16.5, goes until 18.
  const StepForecast step = predict_step(two_layers(2));
  EXPECT_NEAR(step.exposed, 1.0 + 1.5 + 3 * 0.01, 1e-12);
}

TEST(PredictStep, SendsGradientsOneAfterTheOther) {
  StepCosts costs = two_layers(2);
  costs.layers[1].gradient_bytes = 4000;  // 20 s
  costs.network.latency = 0;
  // The second layer's is there at 9.5 and gone at 29.5; the first layer's has been waiting since 16.5.
  EXPECT_NEAR(predict_step(costs).total(), 29.5 + 1.5 + 0.25 + 0.125, 1e-12);
}

TEST(PredictStep, OverlapsWithTheLastShardOfARank) {
  StepCosts costs = two_layers(2);
  const double exposed = predict_step(costs).exposed;
  costs.shards = 4;
  costs.add = 0.5;
  const StepForecast step = predict_step(costs);
  EXPECT_DOUBLE_EQ(step.compute, 4 * 15.5 + 3 * 0.5);
  EXPECT_NEAR(step.exposed, exposed, 1e-9);
}

TEST(PredictStep, ComputesSlowerWhileTheLinkIsBusy) {
  StepCosts costs;
  costs.layers = {{1, 1, 0, 100, 100}};
  costs.gather = 1;
  costs.hosts = 2;
  costs.network = {0, 100, 0.5};
  // While the weights come, 0.5 s, half of that is computed; the gradient comes when there is nothing left to do.
  EXPECT_NEAR(predict_step(costs).total(), 3 + 0.25 + 0.5, 1e-12);
  EXPECT_DOUBLE_EQ(predict_step(costs).compute, 3);
}

TEST(PredictStep, HalfTheBytesOfTheGradientAreHalfItsTime) {
  StepCosts costs = two_layers(2);
  for (LayerTimes& layer : costs.layers) layer.gradient_bytes /= 2;
  EXPECT_NEAR(predict_step(costs).exposed, 1.0 + 0.75 + 3 * 0.01, 1e-12);
}

TEST(LayerShares, GoByWhatLayersTellAndNotByTheirParameters) {
  const std::vector<LayerCost> costs{{.forward = 300, .by_weights = 300, .parameters = 7},  // each weight used often
                                     {},                                                    // nothing worth telling
                                     {.forward = 50, .by_inputs = 100},
                                     {.parameters = 16},
                                     {.forward = 50, .by_weights = 50, .by_inputs = 50, .parameters = 1000}};
  const auto layers = layer_shares(costs);
  ASSERT_EQ(layers.size(), 4U);
  const auto expect = [](const LayerShare& layer, double forward, double by_weights, double by_inputs, double size) {
    EXPECT_DOUBLE_EQ(layer.forward, forward);
    EXPECT_DOUBLE_EQ(layer.weight_gradient, by_weights);
    EXPECT_DOUBLE_EQ(layer.input_gradient, by_inputs);
    EXPECT_EQ(layer.parameters, size);
  };
  expect(layers[0], 0.75, 0.6, 0, 7);
  expect(layers[1], 0.125, 0, 0.2, 0);
  expect(layers[2], 0, 0, 0, 16);
  expect(layers[3], 0.125, 0.1, 0.1, 1000);
  EXPECT_EQ(layer_shares({}).size(), 0U);
}

TEST(LayerShares, AreNoneOfNoFlops) {
  const std::vector<LayerCost> costs{{.parameters = 16}};
  EXPECT_EQ(layer_shares(costs).front().forward, 0);
}

TEST(TimesAt, LieOnTheLineBetweenTheNearest) {
  const std::vector<ShardTimes> measured{{1, 1, 1, 1, 1, 7}, {3, 2, 3, 4, 1, 7}, {5, 10, 3, 4, 1, 9}};
  EXPECT_DOUBLE_EQ(times_at(measured, 2).forward, 2);
  EXPECT_DOUBLE_EQ(times_at(measured, 2).backward, 2.5);
  EXPECT_DOUBLE_EQ(times_at(measured, 3).gather, 2);
  EXPECT_DOUBLE_EQ(times_at(measured, 4).gather, 6);
  EXPECT_DOUBLE_EQ(times_at(measured, 0.5).gather, 1);
}

TEST(TimesAt, GoOnBeyondTheLastOne) {
  const std::vector<ShardTimes> measured{{1, 1, 1, 1, 1, 7}, {3, 2, 3, 4, 1, 9}};
  EXPECT_DOUBLE_EQ(times_at(measured, 5).gather, 3);
  EXPECT_DOUBLE_EQ(times_at(measured, 5).update, 9);  // it does not go by rows
  EXPECT_DOUBLE_EQ(times_at(std::vector<ShardTimes>{{2, 1, 2, 3, 0, 0}}, 6).backward, 9);
}

// A pass takes 1 ms a row, an update 1 ms; two ranks of a host are as fast as one.
ScalingInput linear_run() {
  ScalingInput input;
  input.layers = {{1, 1, 0, 1000}};
  input.alone = {{1, 0, 0.0005, 0.0005, 0, 0.001}, {100, 0, 0.05, 0.05, 0, 0.001}};
  input.full = input.alone;
  input.ranks_per_host = 2;
  input.network = {0, 1e30};
  input.batch = 64;
  return input;
}

TEST(PredictRun, OnOneRankHasItsOwnSpeed) {
  const auto one = predict_run(linear_run(), 1, 64, 64);
  ASSERT_TRUE(one);
  EXPECT_NEAR(one->step.total(), 0.065, 1e-9);
  EXPECT_NEAR(one->samples_per_second, 64 / 0.065, 1e-6);
  EXPECT_DOUBLE_EQ(one->efficiency, 1);
}

TEST(PredictRun, ARankHasTheRowsOfItsShards) {
  ScalingInput input = linear_run();
  EXPECT_NEAR(predict_run(input, 4, 64, 64)->step.compute, 0.016, 1e-9);
  EXPECT_NEAR(predict_run(input, 3, 64, 64)->step.compute, 0.022, 1e-9);  // 22 of 64 rows
  input.shards = 8;                                                       // of 8 rows
  input.alone[0].update = input.alone[1].update = input.full[0].update = input.full[1].update = 0;
  EXPECT_NEAR(predict_run(input, 1, 64, 64)->step.compute, 0.064, 1e-9);
  EXPECT_NEAR(predict_run(input, 3, 64, 64)->step.compute, 0.024, 1e-9);  // 3 shards of 8
  EXPECT_NEAR(predict_run(input, 5, 64, 64)->step.compute, 0.016, 1e-9);  // 2 shards of 8
}

TEST(PredictRun, HasNoMoreRanksThanShards) {
  ScalingInput input = linear_run();
  input.shards = 8;
  EXPECT_TRUE(predict_run(input, 8, 64, 64));
  EXPECT_FALSE(predict_run(input, 9, 64, 64));
}

TEST(PredictRun, FillsAsFewHostsAsHoldTheRanks) {
  const ScalingInput input = linear_run();
  EXPECT_EQ(predict_run(input, 2, 64, 64)->hosts, 1U);
  EXPECT_EQ(predict_run(input, 3, 64, 64)->hosts, 2U);
  EXPECT_EQ(predict_run(input, 1024, 1024, 64)->hosts, 512U);
}

TEST(PredictRun, MoreHostsUpdateLessEachAndAddTheirPartialSums) {
  const ScalingInput input = linear_run();
  // Bytes of an element: 2 gradients, weight in and out; then 2 gradients, the sum, half of (2 sums, weight in and
  // out).
  EXPECT_NEAR(predict_run(input, 4, 64, 64)->step.update, 0.001 * (3 * 4 + (2 * 4 + 8) / 2.0) / (2 * 4 + 8), 1e-9);
}

TEST(PredictRun, IsSlowerOnASlowNetworkByItsTraffic) {
  ScalingInput input = linear_run();
  const double fast = predict_run(input, 4, 64, 64)->step.total();
  input.network = {0, 40000};  // 4000 bytes each way
  EXPECT_NEAR(predict_run(input, 4, 64, 64)->step.total() - fast, 2 * 0.5 * 4000 / 40000, 1e-9);
  input.wire_bytes = 2;
  EXPECT_NEAR(predict_run(input, 4, 64, 64)->step.total() - fast, (0.5 * 4000 + 0.5 * 2000) / 40000, 1e-9);
}

TEST(PredictRun, BetweenOneRankAndAFullHostMixesBoth) {
  ScalingInput input = linear_run();
  input.ranks_per_host = 3;
  for (ShardTimes& times : input.full) times.forward *= 3;
  // At 32 rows: 16 ms and 48 ms, half of the way.
  EXPECT_NEAR(predict_run(input, 2, 64, 64)->step.compute, 0.016 + 0.032, 1e-9);
}

TEST(PredictRun, OneRankIsAloneAlsoWhereHostsHaveOneEach) {
  ScalingInput input = linear_run();
  input.ranks_per_host = 1;
  for (ShardTimes& times : input.full) times.forward *= 3;
  EXPECT_NEAR(predict_run(input, 1, 32, 32)->step.compute, 0.032, 1e-9);
  EXPECT_NEAR(predict_run(input, 2, 64, 64)->step.compute, 0.064, 1e-9);
}

TEST(FindLimit, IsNoneWhereNothingIsLost) {
  ScalingInput input = linear_run();
  input.batch = 1 << 20;
  const ScalingLimit limit = find_limit(input, 1024);
  EXPECT_FALSE(limit.ends);
  EXPECT_EQ(limit.ranks, 1024U);
}

TEST(FindLimit, IsTheFirstCountBelowHalfAndNamesABatchThatMovesIt) {
  ScalingInput input = linear_run();
  const ScalingLimit limit = find_limit(input, 1024);
  ASSERT_TRUE(limit.ends);
  EXPECT_EQ(*limit.ends, 2 * limit.ranks);
  EXPECT_GE(predict_run(input, limit.ranks, 64, 64)->efficiency, 0.5);
  EXPECT_LT(predict_run(input, *limit.ends, 64, 64)->efficiency, 0.5);
  ASSERT_TRUE(limit.batch);
  EXPECT_GT(*limit.batch, 64);
  EXPECT_GE(predict_run(input, *limit.ends, *limit.batch, *limit.batch)->efficiency, 0.5);
  EXPECT_LT(predict_run(input, *limit.ends, *limit.batch * 9 / 10, *limit.batch * 9 / 10)->efficiency, 0.5);
  input.batch = *limit.batch;
  EXPECT_GE(*find_limit(input, 1024).ends, 2 * *limit.ends);
}

TEST(FindLimit, MayBeTheShards) {
  ScalingInput input = linear_run();
  input.batch = 1 << 20;
  input.shards = 8;
  const ScalingLimit limit = find_limit(input, 1024);
  EXPECT_TRUE(limit.out_of_shards);
  EXPECT_EQ(limit.ranks, 8U);
  EXPECT_EQ(limit.ends, 16U);
  EXPECT_FALSE(limit.batch);
}

}  // namespace
}  // namespace lockstep
