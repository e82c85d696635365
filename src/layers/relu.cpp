// relu: y = max(x, 0). NaN stays NaN, so that a diverged run is seen.
#include "layers/activation.hpp"
#include "layers/layer_table.hpp"

namespace lockstep {
namespace {

class Relu final : public Activation {
  void apply(std::span<const float> x, std::span<float> y) const override {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = x[i] <= 0.0F ? 0.0F : x[i];
  }

  void differentiate(std::span<const float> /*x*/, std::span<const float> y, std::span<const float> dy,
                     std::span<float> dx) const override {
    for (std::size_t i = 0; i < dx.size(); ++i) {
      const float value = y[i];
      dx[i] = dy[i];  // written first: a choice of whether to read dy is not vectorised
      if (value <= 0.0F) dx[i] = 0.0F;
    }
  }
};

}  // namespace

std::unique_ptr<Layer> make_relu(const Options& options) {
  options.expect_only({});
  return std::make_unique<Relu>();
}

}  // namespace lockstep
