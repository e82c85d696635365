// relu: y = max(x, 0). NaN stays NaN, so that a diverged run is seen.
#include "core/vector_clones.hpp"
#include "layers/activation.hpp"

namespace lockstep {
namespace {

LOCKSTEP_VECTOR_CLONES void relu(std::span<const float> x, std::span<float> y) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[i] <= 0.0F ? 0.0F : x[i];
}

LOCKSTEP_VECTOR_CLONES void relu_slope(std::span<const float> y, std::span<const float> dy, std::span<float> dx) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < dx.size(); ++i) {
    const float slope = dy[i];  // read first: a choice of whether to read is not vectorised
    dx[i] = y[i] <= 0.0F ? 0.0F : slope;
  }
}

class Relu final : public Activation {
 public:
  Relu() : Activation(Reads::output) {}

 private:
  void apply(std::span<const float> x, std::span<float> y) const override { relu(x, y); }
  void differentiate(std::span<const float> y, std::span<const float> dy, std::span<float> dx) const override {
    relu_slope(y, dy, dx);
  }
};

}  // namespace

std::unique_ptr<Layer> make_relu(const Options& /*options*/) {
  return std::make_unique<Relu>();
}

}  // namespace lockstep
