// vector_math against the C library in double, and the promise that an element's place does not matter.
#include "core/vector_math.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numbers>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

using VectorFunction = void (*)(std::span<const float>, std::span<float>);

// `count` points from low to high, both included.
std::vector<float> points(float low, float high, std::size_t count) {
  std::vector<float> x(count);
  for (std::size_t i = 0; i < count; ++i) {
    x[i] = low + (high - low) * static_cast<float>(i) / static_cast<float>(count - 1);
  }
  return x;
}

std::vector<float> results(VectorFunction function, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  function(x, y);
  return y;
}

double largest_relative_error(VectorFunction function, const std::function<double(double)>& exact,
                              const std::vector<float>& x) {
  const auto y = results(function, x);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double truth = exact(double{x[i]});
    if (truth != 0) worst = std::max(worst, std::abs(y[i] - truth) / std::abs(truth));
  }
  return worst;
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// The bounds are those of the header; a float is exact to 6e-8.

TEST(VectorMath, ExpIsExactToItsBound) {
  EXPECT_LT(largest_relative_error(
                vector_exp, [](double x) { return std::exp(x); }, points(-87, 88.7F, 100001)),
            2e-7);
}

TEST(VectorMath, TanhIsExactToItsBound) {
  const auto exact = [](double x) { return std::tanh(x); };
  EXPECT_LT(largest_relative_error(vector_tanh, exact, points(-12, 12, 100001)), 5e-7);
  EXPECT_LT(largest_relative_error(vector_tanh, exact, points(-1e-4F, 1e-4F, 10001)), 5e-7);
}

TEST(VectorMath, SigmoidIsExactToItsBound) {
  EXPECT_LT(largest_relative_error(vector_sigmoid, sigmoid, points(-87, 87, 100001)), 4e-7);
}

TEST(VectorMath, GeluAndItsSlopeAreExactToTheirBounds) {
  const auto x = points(-6, 6, 100001);
  const auto y = results(vector_gelu, x);
  std::vector<float> slope(x.size(), 1.0F);
  vector_gelu_slope(x, slope, slope);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double in = x[i];
    const double phi = 0.5 * std::erfc(-in / std::numbers::sqrt2);
    const double density = std::exp(-in * in / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
    EXPECT_NEAR(y[i], in * phi, 5e-7 * std::max(1.0, std::abs(in))) << x[i];
    EXPECT_NEAR(slope[i], phi + in * density, 1e-6) << x[i];
  }
}

TEST(VectorMath, LimitsAreExact) {
  EXPECT_EQ(results(vector_exp, {0, -200, -kInfinity, 89, 1e30F, kInfinity}),
            (std::vector<float>{1, 0, 0, kInfinity, kInfinity, kInfinity}));
  EXPECT_EQ(results(vector_tanh, {0, 1e30F, -1e30F, kInfinity, -kInfinity}), (std::vector<float>{0, 1, -1, 1, -1}));
  EXPECT_EQ(results(vector_sigmoid, {0, 1e30F, -1e30F, kInfinity, -kInfinity}), (std::vector<float>{0.5F, 1, 0, 1, 0}));
  EXPECT_EQ(results(vector_gelu, {0, 1e15F, -1e15F}), (std::vector<float>{0, 1e15F, 0}));
}

TEST(VectorMath, NanStaysNan) {
  for (const VectorFunction function : {vector_exp, vector_tanh, vector_sigmoid, vector_gelu}) {
    for (const float value : results(function, std::vector<float>(19, kNan))) EXPECT_TRUE(std::isnan(value));
  }
}

TEST(VectorMath, AnElementsPlaceDoesNotMatter) {
  const auto x = points(-7, 9, 100);
  for (const VectorFunction function : {vector_exp, vector_tanh, vector_sigmoid, vector_gelu}) {
    const auto whole = results(function, x);
    for (std::size_t begin = 0; begin < x.size(); ++begin) {
      for (std::size_t end = begin + 1; end <= x.size(); end += 7) {
        std::vector<float> part(end - begin);
        function(std::span(x).subspan(begin, end - begin), part);
        for (std::size_t i = 0; i < part.size(); ++i) {
          ASSERT_EQ(std::bit_cast<std::uint32_t>(part[i]), std::bit_cast<std::uint32_t>(whole[begin + i]));
        }
      }
    }
  }
}

TEST(VectorMath, WorksInPlaceAndWritesNothingBehindTheEnd) {
  auto x = points(-3, 3, 40);
  const auto expected = results(vector_tanh, x);
  const float behind = x[37];
  vector_tanh(std::span(x).first(37), std::span(x).first(37));
  EXPECT_TRUE(std::equal(x.begin(), x.begin() + 37, expected.begin()));
  EXPECT_EQ(x[37], behind);
}

TEST(VectorMath, SizesThatDifferAreAnError) {
  std::vector<float> y(3);
  EXPECT_THROW(vector_exp(std::vector<float>(4), y), Error);
}

TEST(VectorMath, NamesItsTarget) {
  EXPECT_FALSE(simd_target().empty());
}

}  // namespace
}  // namespace lockstep
