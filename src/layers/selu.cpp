// selu (Klambauer et al., 2017): y = scale x for x > 0, scale alpha (exp(x) - 1) otherwise; there dx = (y + scale
// alpha) dy.
#include "core/vector_clones.hpp"
#include "core/vector_math.hpp"
#include "layers/activation.hpp"

namespace lockstep {
namespace {

// Of the paper's fixed point: mean 0 and variance 1 are kept.
constexpr float kAlpha = 1.6732632423543772848F;
constexpr float kScale = 1.0507009873554804934F;

// exps[i] = exp(x[i])
LOCKSTEP_VECTOR_CLONES void bend(std::span<const float> exps, std::span<const float> x, std::span<float> y) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < y.size(); ++i) {
    const float below = (kScale * kAlpha) * (exps[i] - 1.0F);
    const float above = kScale * x[i];
    y[i] = x[i] > 0.0F ? above : below;
  }
}

LOCKSTEP_VECTOR_CLONES void slope(std::span<const float> y, std::span<const float> dy, std::span<float> dx) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < dx.size(); ++i) {
    const float below = dy[i] * (y[i] + kScale * kAlpha);
    const float above = dy[i] * kScale;
    dx[i] = y[i] > 0.0F ? above : below;
  }
}

class Selu final : public Activation {
 public:
  Selu() : Activation(Reads::output) {}

 private:
  void apply(std::span<const float> x, std::span<float> y) const override {
    in_chunks(y.size(), [&](std::size_t begin, std::span<float> exps) {
      const auto in = x.subspan(begin, exps.size());
      vector_exp(in, exps);
      bend(exps, in, y.subspan(begin, exps.size()));
    });
  }
  void differentiate(std::span<const float> y, std::span<const float> dy, std::span<float> dx) const override {
    slope(y, dy, dx);
  }
};

}  // namespace

std::unique_ptr<Layer> make_selu(const Options& /*options*/) {
  return std::make_unique<Selu>();
}

}  // namespace lockstep
