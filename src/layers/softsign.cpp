// softsign: y = x / (1 + |x|), dx = dy / (1 + |x|)^2.
#include <cmath>

#include "core/vector_clones.hpp"
#include "layers/activation.hpp"

namespace lockstep {
namespace {

LOCKSTEP_VECTOR_CLONES void squash(std::span<const float> x, std::span<float> y) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[i] / (1.0F + std::abs(x[i]));
}

LOCKSTEP_VECTOR_CLONES void slope(std::span<const float> x, std::span<const float> dy, std::span<float> dx) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < dx.size(); ++i) {
    const float size = 1.0F + std::abs(x[i]);
    dx[i] = dy[i] / (size * size);
  }
}

class Softsign final : public Activation {
 public:
  Softsign() : Activation(Reads::input) {}

 private:
  void apply(std::span<const float> x, std::span<float> y) const override { squash(x, y); }
  void differentiate(std::span<const float> x, std::span<const float> dy, std::span<float> dx) const override {
    slope(x, dy, dx);
  }
};

}  // namespace

std::unique_ptr<Layer> make_softsign(const Options& /*options*/) {
  return std::make_unique<Softsign>();
}

}  // namespace lockstep
