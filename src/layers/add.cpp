// add: y = the sum of its inputs, which are of one shape; each gets dx = dy.
#include <algorithm>

#include "core/sums.hpp"
#include "layers/input_shapes.hpp"
#include "layers/layer.hpp"

namespace lockstep {
namespace {

class Add final : public Layer {
 public:
  [[nodiscard]] LayerPlan plan(std::span<const Shape> inputs) const override {
    const Shape& shape = same_shapes(inputs);
    // Of more than two, y would take the place of one that is still to be added.
    return {.output = shape, .reads_input = false, .reads_output = false, .in_place = inputs.size() == 2};
  }

  void forward(const PassContext& /*pass*/, const ForwardCall& call) const override {
    const std::span<float> y = call.y.values;
    add(call.x[0].values, call.x[1].values, y);
    for (const auto& x : call.x.subspan(2)) add_to(y, x.values);
  }

  void backward(const PassContext& /*pass*/, const BackwardCall& call) const override {
    for (const Tensor<float>& dx : call.dx) {
      if (!dx.values.empty() && dx.values.data() != call.dy.values.data())
        std::ranges::copy(call.dy.values, dx.values.begin());
    }
  }
};

}  // namespace

std::unique_ptr<Layer> make_add(const Options& /*options*/) {
  return std::make_unique<Add>();
}

}  // namespace lockstep
