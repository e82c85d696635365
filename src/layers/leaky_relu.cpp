// leaky_relu: y = x for x > 0, negative_slope * x otherwise.
#include "layers/activation.hpp"
#include "layers/layer_table.hpp"

namespace lockstep {
namespace {

class LeakyRelu final : public Activation {
 public:
  explicit LeakyRelu(float slope) : slope_(slope) {}

 private:
  void apply(std::span<const float> x, std::span<float> y) const override {
    const float slope = slope_;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const float value = x[i];
      y[i] = slope * value;  // written first: a choice between two products is not vectorised
      if (value > 0.0F) y[i] = value;
    }
  }

  void differentiate(std::span<const float> x, std::span<const float> /*y*/, std::span<const float> dy,
                     std::span<float> dx) const override {
    const float slope = slope_;
    for (std::size_t i = 0; i < dx.size(); ++i) {
      const float value = x[i];
      const float change = dy[i];
      dx[i] = slope * change;
      if (value > 0.0F) dx[i] = change;
    }
  }

  float slope_;
};

}  // namespace

std::unique_ptr<Layer> make_leaky_relu(const Options& options) {
  options.expect_only({"negative_slope"});
  constexpr double largest = 1e6;  // any slope that makes sense; keeps the float finite
  return std::make_unique<LeakyRelu>(static_cast<float>(options.number_in("negative_slope", -largest, largest, 0.01)));
}

}  // namespace lockstep
