// gelu (Hendrycks and Gimpel, 2016): y = x Phi(x), Phi the normal distribution.
// approximate = "none" (default) takes Phi from erf, "tanh" from their tanh formula; both as in PyTorch.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include "core/vector_math.hpp"
#include "layers/activation.hpp"
#include "layers/layer_table.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

// Backward needs erf or tanh of x anew; it goes by chunks with these on the stack.
constexpr std::size_t kChunk = 512;
using Chunk = std::array<float, kChunk>;

constexpr float kInverseSqrt2 = 1.0F / std::numbers::sqrt2_v<float>;
constexpr float kInverseSqrt2Pi = kInverseSqrt2 * std::numbers::inv_sqrtpi_v<float>;
constexpr float kSqrt2OverPi = 2.0F * kInverseSqrt2Pi;
constexpr float kCubic = 0.044715F;  // of the tanh formula

// y = x/2 (1 + erf(x / sqrt(2)))
class GeluErf final : public Activation {
  void apply(std::span<const float> x, std::span<float> y) const override {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[i] * kInverseSqrt2;
    vector_erf(y, y);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = 0.5F * x[i] * (1.0F + y[i]);
  }

  // y' = Phi(x) + x phi(x), phi(x) = exp(-x^2 / 2) / sqrt(2 pi)
  void differentiate(std::span<const float> x, std::span<const float> /*y*/, std::span<const float> dy,
                     std::span<float> dx) const override {
    Chunk erf_buffer;
    Chunk exp_buffer;
    for (std::size_t begin = 0; begin < dx.size(); begin += kChunk) {
      const std::size_t size = std::min(kChunk, dx.size() - begin);
      const auto in = x.subspan(begin, size);
      const auto erf = std::span(erf_buffer).first(size);
      const auto exp = std::span(exp_buffer).first(size);
      for (std::size_t i = 0; i < size; ++i) erf[i] = in[i] * kInverseSqrt2;
      for (std::size_t i = 0; i < size; ++i) exp[i] = -0.5F * in[i] * in[i];
      vector_erf(erf, erf);
      vector_exp(exp, exp);
      for (std::size_t i = 0; i < size; ++i) {
        dx[begin + i] = dy[begin + i] * (0.5F * (1.0F + erf[i]) + in[i] * kInverseSqrt2Pi * exp[i]);
      }
    }
  }
};

// y = x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3)
class GeluTanh final : public Activation {
  static float inner(float x) { return kSqrt2OverPi * (x + kCubic * x * x * x); }

  void apply(std::span<const float> x, std::span<float> y) const override {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = inner(x[i]);
    vector_tanh(y, y);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = 0.5F * x[i] * (1.0F + y[i]);
  }

  // y' = (1 + tanh(u))/2 + x/2 (1 - tanh(u)^2) u'
  void differentiate(std::span<const float> x, std::span<const float> /*y*/, std::span<const float> dy,
                     std::span<float> dx) const override {
    Chunk tanh_buffer;
    for (std::size_t begin = 0; begin < dx.size(); begin += kChunk) {
      const std::size_t size = std::min(kChunk, dx.size() - begin);
      const auto in = x.subspan(begin, size);
      const auto t = std::span(tanh_buffer).first(size);
      for (std::size_t i = 0; i < size; ++i) t[i] = inner(in[i]);
      vector_tanh(t, t);
      for (std::size_t i = 0; i < size; ++i) {
        const float du = kSqrt2OverPi * (1.0F + 3.0F * kCubic * in[i] * in[i]);
        dx[begin + i] = dy[begin + i] * (0.5F * (1.0F + t[i]) + 0.5F * in[i] * (1.0F - t[i] * t[i]) * du);
      }
    }
  }
};

}  // namespace

std::unique_ptr<Layer> make_gelu(const Options& options) {
  options.expect_only({"approximate"});
  const std::string approximate = options.text("approximate", "none");
  if (approximate == "none") return std::make_unique<GeluErf>();
  if (approximate == "tanh") return std::make_unique<GeluTanh>();
  throw Error(ErrorKind::config,
              options.where() + ".approximate: expected \"none\" or \"tanh\", found \"" + approximate + "\"");
}

}  // namespace lockstep
