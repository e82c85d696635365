// multiply: y = the product of its inputs, number by number; dx of one is dy times the product of the others.
#include "core/vector_clones.hpp"
#include "layers/input_shapes.hpp"
#include "layers/layer.hpp"

namespace lockstep {
namespace {

// product[i] = a[i] b[i]; it may be one of the two.
LOCKSTEP_VECTOR_CLONES void multiply(std::span<const float> a, std::span<const float> b, std::span<float> product) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < product.size(); ++i) product[i] = a[i] * b[i];
}

class Multiply final : public Layer {
 public:
  [[nodiscard]] LayerPlan plan(std::span<const Shape> inputs) const override {
    return {.output = same_shapes(inputs), .reads_output = false};
  }

  void forward(const PassContext& /*pass*/, const ForwardCall& call) const override {
    const std::span<float> y = call.y.values;
    multiply(call.x[0].values, call.x[1].values, y);
    for (const auto& x : call.x.subspan(2)) multiply(y, x.values, y);
  }

  void backward(const PassContext& /*pass*/, const BackwardCall& call) const override {
    for (std::size_t i = 0; i < call.dx.size(); ++i) {
      const std::span<float> dx = call.dx[i].values;
      if (dx.empty()) continue;
      std::span<const float> product = call.dy.values;
      for (std::size_t j = 0; j < call.x.size(); ++j) {
        if (j == i) continue;
        multiply(product, call.x[j].values, dx);
        product = dx;
      }
    }
  }
};

}  // namespace

std::unique_ptr<Layer> make_multiply(const Options& /*options*/) {
  return std::make_unique<Multiply>();
}

}  // namespace lockstep
