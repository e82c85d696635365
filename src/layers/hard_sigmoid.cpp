// hard_sigmoid: y = x / 6 + 1/2, from 0 to 1; dx = dy / 6 where -3 < x < 3, else 0.
#include "core/vector_clones.hpp"
#include "layers/activation.hpp"

namespace lockstep {
namespace {

LOCKSTEP_VECTOR_CLONES void cut(std::span<const float> x, std::span<float> y) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < y.size(); ++i) {
    const float line = x[i] / 6.0F + 0.5F;
    const float below = line > 1.0F ? 1.0F : line;
    y[i] = below < 0.0F ? 0.0F : below;  // so that a NaN stays
  }
}

LOCKSTEP_VECTOR_CLONES void slope(std::span<const float> x, std::span<const float> dy, std::span<float> dx) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < dx.size(); ++i) {
    const float sloped = dy[i] / 6.0F;
    const float below = x[i] < 3.0F ? sloped : 0.0F;
    dx[i] = x[i] > -3.0F ? below : 0.0F;
  }
}

class HardSigmoid final : public Activation {
 public:
  HardSigmoid() : Activation(Reads::input) {}

 private:
  void apply(std::span<const float> x, std::span<float> y) const override { cut(x, y); }
  void differentiate(std::span<const float> x, std::span<const float> dy, std::span<float> dx) const override {
    slope(x, dy, dx);
  }
};

}  // namespace

std::unique_ptr<Layer> make_hard_sigmoid(const Options& /*options*/) {
  return std::make_unique<HardSigmoid>();
}

}  // namespace lockstep
