// softmax over the numbers of a sample: y[i] = exp(x[i]) / sum of exp(x); dx[i] = y[i] (dy[i] - sum of dy y).
#include <algorithm>

#include "core/vector_math.hpp"
#include "layers/input_shapes.hpp"
#include "layers/layer.hpp"

namespace lockstep {
namespace {

class Softmax final : public Layer {
 public:
  [[nodiscard]] LayerPlan plan(std::span<const Shape> inputs) const override {
    const Shape& input = only_input(inputs);
    if (input.dims() > 1) throw Error(ErrorKind::config, "expected samples of one dimension; put flatten before it");
    return {.output = input, .reads_input = false};
  }

  void forward(const PassContext& /*pass*/, const ForwardCall& call) const override {
    for (std::size_t row = 0; row < call.y.rows; ++row) {
      const auto in = call.x[0].row(row);
      const auto out = call.y.row(row);
      // From the largest one down, so that nothing overflows.
      const float top = *std::ranges::max_element(in);
      for (std::size_t i = 0; i < in.size(); ++i) out[i] = in[i] - top;
      vector_exp(out, out);
      float sum = 0;
      for (const float value : out) sum += value;
      for (float& value : out) value /= sum;
    }
  }

  void backward(const PassContext& /*pass*/, const BackwardCall& call) const override {
    if (call.dx[0].values.empty()) return;
    for (std::size_t row = 0; row < call.dy.rows; ++row) {
      const auto y = call.y.row(row);
      const auto dy = call.dy.row(row);
      const auto dx = call.dx[0].row(row);
      float sum = 0;
      for (std::size_t i = 0; i < y.size(); ++i) sum += dy[i] * y[i];
      for (std::size_t i = 0; i < y.size(); ++i) dx[i] = y[i] * (dy[i] - sum);
    }
  }
};

}  // namespace

std::unique_ptr<Layer> make_softmax(const Options& /*options*/) {
  return std::make_unique<Softmax>();
}

}  // namespace lockstep
