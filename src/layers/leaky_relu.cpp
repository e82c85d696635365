// leaky_relu: y = x for x > 0, negative_slope * x otherwise.
#include "core/vector_clones.hpp"
#include "layers/activation.hpp"

namespace lockstep {
namespace {

// out[i] = in[i], times `slope` where sign[i] is not above 0. out may be in or sign.
LOCKSTEP_VECTOR_CLONES void lean(float slope, std::span<const float> sign, std::span<const float> in,
                                 std::span<float> out) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < out.size(); ++i) {
    const float straight = in[i];
    const float bent = slope * straight;  // both first: a choice between two products is not vectorised
    out[i] = sign[i] > 0.0F ? straight : bent;
  }
}

class LeakyRelu final : public Activation {
 public:
  explicit LeakyRelu(float slope) : Activation(Reads::input), slope_(slope) {}

 private:
  void apply(std::span<const float> x, std::span<float> y) const override { lean(slope_, x, x, y); }
  void differentiate(std::span<const float> x, std::span<const float> dy, std::span<float> dx) const override {
    lean(slope_, x, dy, dx);
  }

  float slope_;
};

}  // namespace

std::unique_ptr<Layer> make_leaky_relu(const Options& options) {
  return std::make_unique<LeakyRelu>(static_cast<float>(options.number("negative_slope")));
}

}  // namespace lockstep
