// Costs over single weights: against evaluate(), against differences of costs, and over several ranks against one.
#include "score/landscape.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/weight_name.hpp"
#include "parallel/training.hpp"

namespace lockstep {
namespace {

class LandscapeTest : public testing::Test {
 protected:
  [[nodiscard]] std::size_t element(const char* name) const {
    return find_weight(engine->model().parameters(), name, "test").element;
  }
  [[nodiscard]] Net net() const { return {engine->model(), engine->loss(), engine->weights()}; }

  Communicator world{MPI_COMM_WORLD};
  Communicator self{MPI_COMM_SELF};
  std::unique_ptr<Engine> engine = test::make_engine(world, test::make_run(4, "tree"));
  Normalization plain;
};

bool same_bits(const std::vector<CostPoint>& a, const std::vector<CostPoint>& b) {
  return std::ranges::equal(a, b, [](const CostPoint& one, const CostPoint& other) {
    return one.at == other.at && one.cost == other.cost && one.slope == other.slope;
  });
}

TEST_F(LandscapeTest, CostsAreThoseOfEvaluate) {
  // Weights of a later layer, so that the passes begin there; less than a block, and several.
  const std::vector<std::size_t> elements{element("dense2[3,1]"), element("dense3[2]")};
  std::vector<float> weights(engine->weights().begin(), engine->weights().end());
  for (const std::size_t samples : {std::size_t{9}, std::size_t{700}}) {
    const Dataset data = test::make_dataset(samples);
    CostSurface surface(world, net(), {data, plain}, elements);
    const std::vector<CostPoint> grid = cost_grid(surface, axis_points(-1, 2, 4), axis_points(-0.5, 1, 3));
    ASSERT_EQ(grid.size(), 12U);
    for (const CostPoint& point : grid) {
      weights[elements[0]] = point.at[0];
      weights[elements[1]] = point.at[1];
      EXPECT_EQ(point.cost, evaluate(world, {engine->model(), engine->loss(), weights}, data, plain).loss);
    }
  }
}

TEST_F(LandscapeTest, AllIsTheSameBitsAtAnyRankCount) {
  const std::vector<std::size_t> elements{element("dense1[2,1]"), element("dense3[0,4]")};
  const auto x = axis_points(-2, 2, 5);
  for (const std::size_t samples : {std::size_t{9}, std::size_t{700}}) {
    const Dataset data = test::make_dataset(samples);
    CostSurface together(world, net(), {data, plain}, elements);
    CostSurface alone(self, net(), {data, plain}, elements);
    const auto grid = cost_grid(together, x, x);
    EXPECT_TRUE(same_bits(grid, cost_grid(alone, x, x))) << samples;
    EXPECT_TRUE(same_bits(roll_down(together, {1, -1}, 0.5, 5), roll_down(alone, {1, -1}, 0.5, 5))) << samples;
    EXPECT_TRUE(same_bits({find_minimum(together, grid, x, x).point}, {find_minimum(alone, grid, x, x).point}));
  }
}

TEST_F(LandscapeTest, SomeRowsCountAlone) {
  const Dataset data = test::make_dataset(300);
  const std::vector<std::uint32_t> rows{2, 3, 5, 7, 11, 299};
  const std::vector<std::size_t> elements{element("dense3[1,1]")};
  CostSurface surface(world, net(), {data, plain, rows}, elements);
  EXPECT_EQ(surface.point(surface.here()).cost, evaluate(world, net(), data, plain, rows).loss);
}

TEST_F(LandscapeTest, SlopesAreDifferencesOfCosts) {
  const Dataset data = test::make_dataset(700);
  const std::vector<std::size_t> elements{element("dense1[2,1]"), element("dense2[3,1]")};
  CostSurface surface(world, net(), {data, plain}, elements);
  const WeightPoint at{0.25, -0.5};
  const CostPoint middle = surface.point(at);
  constexpr float kStep = 1.0F / 128;
  for (std::size_t i = 0; i < 2; ++i) {
    WeightPoint low = at;
    WeightPoint high = at;
    low[i] -= kStep;
    high[i] += kStep;
    const double difference = (surface.point(high).cost - surface.point(low).cost) / (2.0 * static_cast<double>(kStep));
    // The third derivative leaves h^2 / 6 = 1e-5 of about 1; rounding 1e-8 / h.
    EXPECT_NEAR(middle.slope[i], difference, 2e-5);
    EXPECT_GT(std::abs(middle.slope[i]), 1e-3);
  }
}

TEST_F(LandscapeTest, TheBallStepsDownTheSlope) {
  const Dataset data = test::make_dataset(100);
  const std::vector<std::size_t> elements{element("dense3[0,4]")};
  CostSurface surface(world, net(), {data, plain}, elements);
  const auto path = roll_down(surface, {1.5, 0}, 0.75, 3);
  ASSERT_EQ(path.size(), 4U);
  for (std::size_t step = 1; step < path.size(); ++step) {
    EXPECT_EQ(path[step].at[0],
              static_cast<float>(static_cast<double>(path[step - 1].at[0]) - 0.75 * path[step - 1].slope[0]));
    EXPECT_LT(path[step].cost, path[step - 1].cost);
  }
}

TEST_F(LandscapeTest, TheBallStopsWhereNothingIsFinite) {
  const Dataset data = test::make_dataset(100);
  const std::vector<std::size_t> elements{element("dense3[0,4]")};
  CostSurface surface(world, net(), {data, plain}, elements);
  const auto path = roll_down(surface, {1.5, 0}, 1e300, 50);
  ASSERT_EQ(path.size(), 2U);
  EXPECT_FALSE(path.back().finite());
}

TEST_F(LandscapeTest, AxesNeedPointsThatDiffer) {
  EXPECT_EQ(axis_points(-1, 1, 5), (std::vector<float>{-1, -0.5, 0, 0.5, 1}));
  EXPECT_THROW((void)axis_points(-1, 1, 2), Error);
  EXPECT_THROW((void)axis_points(1, 1 + 1e-7, 5), Error);
  EXPECT_THROW((void)axis_points(0, 1e39, 5), Error);
}

}  // namespace
}  // namespace lockstep
