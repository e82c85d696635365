// tanh: y = tanh(x), dx = (1 - y^2) dy.
#include "core/vector_clones.hpp"
#include "core/vector_math.hpp"
#include "layers/activation.hpp"

namespace lockstep {
namespace {

LOCKSTEP_VECTOR_CLONES void tanh_slope(std::span<const float> y, std::span<const float> dy, std::span<float> dx) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < dx.size(); ++i) dx[i] = dy[i] * (1.0F - y[i] * y[i]);
}

class Tanh final : public Activation {
 public:
  Tanh() : Activation(Reads::output) {}

 private:
  void apply(std::span<const float> x, std::span<float> y) const override { vector_tanh(x, y); }
  void differentiate(std::span<const float> y, std::span<const float> dy, std::span<float> dx) const override {
    tanh_slope(y, dy, dx);
  }
};

}  // namespace

std::unique_ptr<Layer> make_tanh(const Options& /*options*/) {
  return std::make_unique<Tanh>();
}

}  // namespace lockstep
