#include <algorithm>
#include <cmath>
#include <memory>

#include "layers/plain_layer.hpp"
#include "lockstep/options.hpp"

namespace lockstep {
namespace {

class PlainSoftmax final : public PlainLayer {
 public:
  [[nodiscard]] Formula formula() const override {
    return {"a = exp(z) / sum of exp(z)", "da[i]/dz[j] = a[i] ((1 where i = j) - a[j])"};
  }
  void forward(const PlainPass& /*pass*/, PlainTensors /*tensors*/, PlainInputs inputs,
               std::span<double> y) const override {
    const std::span<const double> x = inputs[0];
    const double top = *std::ranges::max_element(x);
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) sum += y[i] = std::exp(x[i] - top);
    for (double& value : y) value /= sum;
  }
  [[nodiscard]] double input_slope(PlainTensors tensors, std::span<const double> x, std::size_t output,
                                   std::size_t input) const override {
    std::vector<double> y(x.size());
    forward({}, tensors, {&x, 1}, y);
    return y[output] * ((output == input ? 1 : 0) - y[input]);
  }
};

}  // namespace

std::unique_ptr<PlainLayer> plain_softmax(const Options& /*options*/) {
  return std::make_unique<PlainSoftmax>();
}

}  // namespace lockstep
