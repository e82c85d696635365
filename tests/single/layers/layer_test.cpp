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

namespace lockstep {
namespace {

constexpr std::size_t kRows = 5;
constexpr std::size_t kInputs = 7;

// A layer of the table as one of its examples is.
struct Case {
  std::string type;
  Options options;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const LayerType& entry : layer_table()) {
    for (const Options& options : entry.examples) cases.push_back({std::string(entry.info.name), options});
  }
  return cases;
}

// One layer with its numbers, and sum(y * dy) as the scalar to differentiate.
class Bench {
 public:
  explicit Bench(const Case& c) : layer_(make_layer(c.type, c.options)) {
    for (const ParameterSpec& spec : layer_->parameters(kInputs)) {
      const std::size_t entry = table_.add("layer", spec.name, spec.shape, spec.kind);
      ranges.push_back(table_.entries()[entry].range);
    }
    weights.resize(table_.arena_size());
    x.resize(kRows * kInputs);
    dy.resize(kRows * layer_->outputs(kInputs));
    fill_uniform({3, RandomPurpose::bench, 0}, -0.5F, 0.5F, weights);
    fill_uniform({3, RandomPurpose::bench, 1}, -1.0F, 1.0F, dy);
    fill_uniform({3, RandomPurpose::bench, 2}, -2.0F, 2.0F, x);
    // Away from the kinks of relu at 0, which a difference over the kink would see.
    for (float& value : x) value += value < 0 ? -0.1F : 0.1F;
  }

  [[nodiscard]] std::vector<float> forward(float old_contents = 0) const {
    std::vector<float> y(dy.size(), old_contents);
    layer_->forward(pass(), {weights, ranges}, x, y);
    return y;
  }

  void backward(std::vector<float>& dx, std::vector<float>& gradient) const {
    layer_->backward(pass(), {weights, ranges}, x, forward(), dy, dx, {gradient, ranges});
  }

  [[nodiscard]] LayerTraits traits() const { return layer_->traits(); }

  // Forward with y in place of x, backward with dx in place of dy.
  void in_place(std::vector<float>& y, std::vector<float>& dx) const {
    y = x;
    layer_->forward(pass(), {weights, ranges}, y, y);
    dx = dy;
    layer_->backward(pass(), {weights, ranges}, x, y, dx, dx, {{}, ranges});
  }

  // Backward where x and y, if the traits say that they are not read, hold NaN.
  void backward_blind(std::vector<float>& dx, std::vector<float>& gradient) const {
    const std::vector<float> nans(x.size() + dy.size(), std::numeric_limits<float>::quiet_NaN());
    const auto y = forward();
    const auto blind_x = traits().reads_input ? std::span(x) : std::span(nans).first(x.size());
    const auto blind_y = traits().reads_output ? std::span(y) : std::span(nans).first(y.size());
    layer_->backward(pass(), {weights, ranges}, blind_x, blind_y, dy, dx, {gradient, ranges});
  }

  [[nodiscard]] double weighted_sum() const {
    const auto y = forward();
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += double{y[i]} * double{dy[i]};
    return sum;
  }

  // d weighted_sum / d number, by central differences.
  [[nodiscard]] double slope(float& number) const {
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

  std::vector<Range> ranges;
  std::vector<float> weights, x, dy;

 private:
  [[nodiscard]] PassContext pass() const {
    return {.training = true,
            .seed = 11,
            .step = 4,
            .layer = 2,
            .samples = samples_,
            .rows = kRows,
            .compute = compute_.get()};
  }

  std::shared_ptr<const Compute> compute_ = make_compute();
  std::unique_ptr<Layer> layer_;
  ParameterTable table_;
  std::vector<std::uint32_t> samples_{40, 7, 3, 900, 12};
};

// Outputs of size 1 carry rounding of 6e-8, divided by 2 epsilon: 3e-6 each, a few of them in a sum. The third
// derivatives (at most 2) add epsilon^2/6 * 2 = 3e-5. 2e-4 leaves room and is far below any wrong formula.
constexpr double kTolerance = 2e-4;

TEST(Layers, GradientsMatchCentralDifferences) {
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(c.type);
    Bench bench(c);
    std::vector<float> dx(bench.x.size());
    std::vector<float> gradient(bench.weights.size());
    bench.backward(dx, gradient);
    for (std::size_t i = 0; i < dx.size(); ++i) EXPECT_NEAR(dx[i], bench.slope(bench.x[i]), kTolerance) << "x " << i;
    for (const Range range : bench.ranges) {
      for (std::size_t i = range.begin; i < range.end; ++i) {
        EXPECT_NEAR(gradient[i], bench.slope(bench.weights[i]), kTolerance) << "weight " << i;
      }
    }
  }
}

TEST(Layers, WorkInPlaceWhereTheirTraitsSaySo) {
  std::size_t in_place = 0;
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(c.type);
    const Bench bench(c);
    if (!bench.traits().number_by_number) continue;
    ++in_place;
    std::vector<float> dx(bench.x.size());
    std::vector<float> gradient;
    bench.backward(dx, gradient);
    std::vector<float> y_in_place;
    std::vector<float> dx_in_place;
    bench.in_place(y_in_place, dx_in_place);
    EXPECT_EQ(y_in_place, bench.forward());
    EXPECT_EQ(dx_in_place, dx);
  }
  EXPECT_GE(in_place, 6U);
}

TEST(Layers, BackwardReadsNoMoreThanTheirTraitsSay) {
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(c.type);
    const Bench bench(c);
    std::vector<float> dx(bench.x.size());
    std::vector<float> gradient(bench.weights.size());
    auto blind_dx = dx;
    auto blind_gradient = gradient;
    bench.backward(dx, gradient);
    bench.backward_blind(blind_dx, blind_gradient);
    EXPECT_EQ(blind_dx, dx);
    EXPECT_EQ(blind_gradient, gradient);
  }
}

TEST(Layers, OverwriteWhatWasThere) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(c.type);
    const Bench bench(c);
    EXPECT_EQ(bench.forward(0), bench.forward(nan));
    std::vector<float> dx(bench.x.size());
    std::vector<float> gradient(bench.weights.size());
    bench.backward(dx, gradient);
    std::vector<float> second_dx(dx.size(), nan);
    std::vector<float> second_gradient(gradient.size());
    for (const Range range : bench.ranges) {
      for (std::size_t i = range.begin; i < range.end; ++i) second_gradient[i] = nan;
    }
    bench.backward(second_dx, second_gradient);
    EXPECT_EQ(dx, second_dx);
    EXPECT_EQ(gradient, second_gradient);
  }
}

TEST(Layers, GiveTheSameGradientsWithoutDx) {
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(c.type);
    const Bench bench(c);
    std::vector<float> dx(bench.x.size());
    std::vector<float> none;
    std::vector<float> with(bench.weights.size());
    std::vector<float> without(bench.weights.size());
    bench.backward(dx, with);
    bench.backward(none, without);
    EXPECT_EQ(with, without);
  }
}

TEST(Layers, GiveZeroGradientsForNoRows) {
  const auto compute = make_compute();
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(c.type);
    const Bench bench(c);
    const auto layer = make_layer(c.type, c.options);
    const PassContext pass{.training = true, .compute = compute.get()};
    std::vector<float> gradient(bench.weights.size(), 5.0F);
    layer->forward(pass, {bench.weights, bench.ranges}, {}, {});
    layer->backward(pass, {bench.weights, bench.ranges}, {}, {}, {}, {}, {gradient, bench.ranges});
    for (const Range range : bench.ranges) {
      for (std::size_t i = range.begin; i < range.end; ++i) EXPECT_EQ(gradient[i], 0.0F);
    }
  }
}

TEST(Layers, LetNanThrough) {
  for (const Case& c : all_cases()) {
    if (c.type == "dropout") continue;  // a dropped NaN is 0
    SCOPED_TRACE(c.type);
    Bench bench(c);
    std::fill(bench.x.begin(), bench.x.end(), std::numeric_limits<float>::quiet_NaN());
    for (const float value : bench.forward()) EXPECT_TRUE(std::isnan(value));
  }
}

TEST(Layers, RefuseUnknownKeysNamingPlaceAndKey) {
  for (Case c : all_cases()) {
    SCOPED_TRACE(c.type);
    c.options.set("colour", 1);
    c.options.set_where("model.layers[2]");
    try {
      (void)make_layer(c.type, c.options);
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
