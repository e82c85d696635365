// Facts that hold for every layer of the table: gradients by central differences, no dependence on old contents.
#include "layers/layer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "compute/compute.hpp"
#include "layers/layer_table.hpp"
#include "lockstep/error.hpp"
#include "support/layer_bench.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kRows = 5;

// A layer of the table as one of its examples is.
struct Case {
  std::string type;
  LayerExample example;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const LayerType& entry : layer_table()) {
    for (const LayerExample& example : entry.examples) cases.push_back({std::string(entry.info.name), example});
  }
  return cases;
}

// One layer with its numbers, and sum(y * dy) as the scalar to differentiate.
class Bench : public test::LayerBench {
 public:
  explicit Bench(const Case& c, std::size_t rows = kRows)
      : LayerBench(c.type, c.example.options, c.example.inputs, rows) {
    fill_uniform({3, RandomPurpose::bench, 0}, -0.5F, 0.5F, weights);
    fill_uniform({3, RandomPurpose::bench, 1}, -1.0F, 1.0F, dy);
    for (std::uint32_t i = 0; i < x.size(); ++i) {
      fill_uniform({3, RandomPurpose::bench, 2 + i}, -2.0F, 2.0F, x[i]);
      // Away from the kinks of relu at 0, which a difference over the kink would see.
      for (float& value : x[i]) value += value < 0 ? -0.1F : 0.1F;
    }
  }

  [[nodiscard]] double weighted_sum() {
    const auto y = forward();
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += double{y[i]} * double{dy[i]};
    return sum;
  }

  // d weighted_sum / d number, by central differences.
  [[nodiscard]] double slope(float& number) {
    constexpr float epsilon = 1e-2F;
    const float old = number;
    number = old + epsilon;
    const double above = weighted_sum();
    const double high = number;
    number = old - epsilon;
    const double below = weighted_sum();
    const double width = high - double{number};
    number = old;
    return (above - below) / width;
  }
};

// Outputs of size 1 carry rounding of 6e-8, divided by 2 epsilon: 3e-6 each, a few of them in a sum. The third
// derivatives (at most 2, of norms over few numbers 6) add epsilon^2/6 times that. 4e-4 leaves room and is far below
// any wrong formula.
constexpr double kTolerance = 4e-4;

TEST(Layers, GradientsMatchCentralDifferences) {
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(c.type);
    Bench bench(c);
    const auto found = bench.backward();
    for (std::size_t input = 0; input < bench.x.size(); ++input) {
      for (std::size_t i = 0; i < bench.x[input].size(); ++i) {
        EXPECT_NEAR(found.dx[input][i], bench.slope(bench.x[input][i]), kTolerance) << "x " << input << " " << i;
      }
    }
    for (const Range range : bench.ranges) {
      for (std::size_t i = range.begin; i < range.end; ++i) {
        EXPECT_NEAR(found.weights[i], bench.slope(bench.weights[i]), kTolerance) << "weight " << i;
      }
    }
  }
}

TEST(Layers, GradientsMatchCentralDifferencesWhenNotTraining) {
  for (const Case& c : all_cases()) {
    if (c.type != "batch_norm") continue;  // the others do the same then, or less
    Bench bench(c);
    bench.pass.training = false;
    for (float& value : bench.weights) value += 1;  // its running variance among them
    const auto found = bench.backward();
    for (std::size_t i = 0; i < bench.x[0].size(); ++i) {
      EXPECT_NEAR(found.dx[0][i], bench.slope(bench.x[0][i]), kTolerance) << "x " << i;
    }
    for (std::size_t tensor = 0; tensor < bench.ranges.size(); ++tensor) {
      const bool running = bench.plan.parameters[tensor].kind == ParameterKind::running;
      for (std::size_t i = bench.ranges[tensor].begin; i < bench.ranges[tensor].end; ++i) {
        EXPECT_NEAR(found.weights[i], running ? 0 : bench.slope(bench.weights[i]), kTolerance) << "weight " << i;
      }
    }
  }
}

TEST(Layers, WorkInPlaceOnEachInputWhereTheirPlanSaysSo) {
  std::size_t in_place = 0;
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(c.type);
    Bench bench(c);
    if (!bench.plan.in_place) continue;
    ++in_place;
    EXPECT_FALSE(bench.plan.reads_input && bench.x.size() > 1);
    const auto y = bench.forward();
    const auto gradients = bench.backward();
    for (std::size_t input = 0; input < bench.x.size(); ++input) {
      std::vector<float> y_in_place = bench.x[input];
      auto from = bench.inputs();
      from[input].values = y_in_place;
      bench.forward_to(y_in_place, from);
      EXPECT_EQ(y_in_place, y);
      Bench::Gradients to = gradients;
      std::vector<float> dx_in_place = bench.dy;
      std::vector<Tensor<float>> dx;
      for (std::size_t i = 0; i < bench.x.size(); ++i) {
        dx.push_back({i == input ? std::span(dx_in_place) : std::span(to.dx[i]), kRows, bench.shapes[i]});
      }
      bench.backward_to(bench.inputs(), y, dx_in_place, dx, to.weights);
      EXPECT_EQ(dx_in_place, gradients.dx[input]);
      EXPECT_EQ(to, gradients);
    }
  }
  EXPECT_GE(in_place, 6U);
}

TEST(Layers, BackwardReadsNoMoreThanTheirPlanSays) {
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(c.type);
    Bench bench(c);
    const auto y = bench.forward();
    const std::vector<float> nans(4096, std::numeric_limits<float>::quiet_NaN());
    auto from = bench.inputs();
    for (auto& input : from) {
      if (!bench.plan.reads_input) input.values = std::span(nans).first(input.values.size());
    }
    const auto blind_y = bench.plan.reads_output ? std::span(y) : std::span(nans).first(y.size());
    EXPECT_EQ(bench.backward_of(from, blind_y), bench.backward());
  }
}

TEST(Layers, OverwriteWhatWasThere) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(c.type);
    Bench bench(c);
    EXPECT_EQ(bench.forward(0), bench.forward(nan));
    EXPECT_EQ(bench.backward(), bench.backward(true, nan));
  }
}

TEST(Layers, GiveTheSameGradientsWithoutDx) {
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(c.type);
    Bench bench(c);
    EXPECT_EQ(bench.backward(true).weights, bench.backward(false).weights);
  }
}

TEST(Layers, GiveZeroGradientsForNoRows) {
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(c.type);
    Bench bench(c, 0);
    const auto gradients = bench.backward(true, 5.0F);
    for (const Range range : bench.ranges) {
      for (std::size_t i = range.begin; i < range.end; ++i) EXPECT_EQ(gradients.weights[i], 0.0F);
    }
  }
}

TEST(Layers, LetNanThrough) {
  for (const Case& c : all_cases()) {
    if (c.type == "dropout") continue;  // a dropped NaN is 0
    SCOPED_TRACE(c.type);
    Bench bench(c);
    for (auto& x : bench.x) std::ranges::fill(x, std::numeric_limits<float>::quiet_NaN());
    for (const float value : bench.forward()) EXPECT_TRUE(std::isnan(value));
  }
}

TEST(Layers, TellWhatTheyTake) {
  const auto refused = [](std::string_view type, const Options& options, const std::vector<Shape>& inputs) {
    try {
      (void)make_layer(type, options)->plan(inputs);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      return std::string(error.what());
    }
    ADD_FAILURE() << type << ": no error";
    return std::string();
  };
  EXPECT_EQ(refused("relu", {}, {{3}, {3}}), "it takes one input, found 2");
  EXPECT_NE(refused("add", {}, {{3}}).find("two inputs or more"), std::string::npos);
  EXPECT_EQ(refused("add", {}, {{3}, {4}}), "expected inputs of one shape");
  EXPECT_EQ(refused("multiply", {}, {{4}, {2, 2}}), "expected inputs of one shape");
  EXPECT_EQ(refused("concat", {{"dim", 2}}, {{3}, {3}}), "dim: expected 1 to 1, found 2");
  EXPECT_EQ(refused("concat", {}, {{2, 3}, {2, 4}}), "expected inputs whose shapes differ in dim 1 alone");
  EXPECT_EQ(refused("concat", {}, {{2, 3}, {2}}), "expected inputs whose shapes differ in dim 1 alone");
  EXPECT_EQ(refused("reshape", {{"shape", std::vector<double>{3, -1}}}, {{8}}),
            "expected a shape of 8 numbers, found [3, 2]");
  EXPECT_EQ(refused("softmax", {}, {{2, 2}}), "expected samples of one dimension; put flatten before it");
  for (const auto& shape : std::vector<std::vector<double>>{{}, {0}, {-2}, {1.5}, {-1, -1}, {1, 1, 1, 1, 1}}) {
    EXPECT_THROW((void)make_layer("reshape", {{"shape", shape}}), Error);
  }
}

TEST(Layers, TellTheirCost) {
  const LayerPlan plan = make_layer("dense", {{"units", 5}})->plan(std::vector<Shape>{Shape{4, 3}});
  ASSERT_EQ(plan.products.size(), 1U);
  EXPECT_EQ(plan.products[0].rows, 4U);
  EXPECT_EQ(plan.cost.forward, 2 * 4 * 3 * 5);
  EXPECT_EQ(plan.cost.by_weights, plan.cost.forward);
  EXPECT_EQ(plan.output, (Shape{4, 5}));
}

TEST(Layers, RefuseUnknownKeysNamingPlaceAndKey) {
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(c.type);
    Options options = c.example.options;
    options.set("colour", 1);
    options.set_where("model.layers[2]");
    try {
      (void)make_layer(c.type, options);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      const std::string message = error.what();
      EXPECT_NE(message.find("model.layers[2]"), std::string::npos) << message;
      EXPECT_NE(message.find("colour"), std::string::npos) << message;
    }
  }
}

TEST(LayerTable, RefusesAnUnknownTypeListingTheKnownOnes) {
  try {
    (void)make_layer("dence", {});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    const std::string message = error.what();
    EXPECT_NE(message.find("dence"), std::string::npos);
    for (const LayerType& entry : layer_table())
      EXPECT_NE(message.find(entry.info.name), std::string::npos) << entry.info.name;
  }
}

}  // namespace
}  // namespace lockstep
