// gelu (Hendrycks and Gimpel, 2016): y = x Phi(x), Phi the normal distribution.
// approximate = "none" (default) takes Phi from erf, "tanh" from their tanh formula; both as in PyTorch.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/vector_math.hpp"
#include "layers/activation.hpp"

namespace lockstep {
namespace {

// Work on tanh goes by chunks with these on the stack.
constexpr std::size_t kChunk = 512;
using Chunk = std::array<float, kChunk>;

constexpr float kInverseSqrt2 = 1.0F / std::numbers::sqrt2_v<float>;
constexpr float kInverseSqrt2Pi = kInverseSqrt2 * std::numbers::inv_sqrtpi_v<float>;
constexpr float kSqrt2OverPi = 2.0F * kInverseSqrt2Pi;
constexpr float kCubic = 0.044715F;  // of the tanh formula

// y = x Phi(x)
class GeluErf final : public Activation {
 public:
  GeluErf() : Activation(Reads::input) {}

 private:
  void apply(std::span<const float> x, std::span<float> y) const override { vector_gelu(x, y); }
  void differentiate(std::span<const float> x, std::span<const float> dy, std::span<float> dx) const override {
    vector_gelu_slope(x, dy, dx);
  }
};

// y = x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3)
class GeluTanh final : public Activation {
 public:
  GeluTanh() : Activation(Reads::input) {}

 private:
  static float inner(float x) { return kSqrt2OverPi * (x + kCubic * x * x * x); }

  void apply(std::span<const float> x, std::span<float> y) const override {
    Chunk buffer;
    for (std::size_t begin = 0; begin < y.size(); begin += kChunk) {
      const auto in = x.subspan(begin, std::min(kChunk, y.size() - begin));
      const auto t = std::span(buffer).first(in.size());
      for (std::size_t i = 0; i < t.size(); ++i) t[i] = inner(in[i]);
      vector_tanh(t, t);
      for (std::size_t i = 0; i < t.size(); ++i) y[begin + i] = 0.5F * in[i] * (1.0F + t[i]);
    }
  }

  // y' = (1 + tanh(u))/2 + x/2 (1 - tanh(u)^2) u'
  void differentiate(std::span<const float> x, std::span<const float> dy, std::span<float> dx) const override {
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
  if (options.text("approximate") == "none") return std::make_unique<GeluErf>();
  return std::make_unique<GeluTanh>();
}

}  // namespace lockstep
