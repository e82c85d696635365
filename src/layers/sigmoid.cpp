// sigmoid: y = 1 / (1 + exp(-x)), dx = y (1 - y) dy.
#include "core/vector_clones.hpp"
#include "core/vector_math.hpp"
#include "layers/activation.hpp"

namespace lockstep {
namespace {

LOCKSTEP_VECTOR_CLONES void sigmoid_slope(std::span<const float> y, std::span<const float> dy, std::span<float> dx) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < dx.size(); ++i) dx[i] = dy[i] * (y[i] * (1.0F - y[i]));
}

class Sigmoid final : public Activation {
 public:
  Sigmoid() : Activation(Reads::output) {}

 private:
  void apply(std::span<const float> x, std::span<float> y) const override { vector_sigmoid(x, y); }
  void differentiate(std::span<const float> y, std::span<const float> dy, std::span<float> dx) const override {
    sigmoid_slope(y, dy, dx);
  }
};

}  // namespace

std::unique_ptr<Layer> make_sigmoid(const Options& /*options*/) {
  return std::make_unique<Sigmoid>();
}

}  // namespace lockstep
