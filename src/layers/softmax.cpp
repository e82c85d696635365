// softmax over the numbers of a sample: y[i] = exp(x[i]) / sum of exp(x); dx[i] = y[i] (dy[i] - sum of dy y).
#include <algorithm>

#include "core/vector_math.hpp"
#include "layers/layer.hpp"

namespace lockstep {
namespace {

class Softmax final : public Layer {
 public:
  [[nodiscard]] LayerTraits traits() const override { return {.reads_input = false, .reads_output = true}; }

  void forward(const PassContext& pass, ParameterViews<const float> /*parameters*/, std::span<const float> x,
               std::span<float> y) const override {
    for (std::size_t row = 0; row < pass.rows; ++row) {
      const std::size_t width = x.size() / pass.rows;
      const auto in = x.subspan(row * width, width);
      const auto out = y.subspan(row * width, width);
      // From the largest one down, so that nothing overflows.
      const float top = *std::ranges::max_element(in);
      for (std::size_t i = 0; i < width; ++i) out[i] = in[i] - top;
      vector_exp(out, out);
      float sum = 0;
      for (const float value : out) sum += value;
      for (float& value : out) value /= sum;
    }
  }

  void backward(const PassContext& pass, ParameterViews<const float> /*parameters*/, std::span<const float> /*x*/,
                std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                ParameterViews<float> /*gradients*/) const override {
    if (dx.empty()) return;
    for (std::size_t row = 0; row < pass.rows; ++row) {
      const std::size_t width = y.size() / pass.rows;
      const std::size_t begin = row * width;
      float sum = 0;
      for (std::size_t i = begin; i < begin + width; ++i) sum += dy[i] * y[i];
      for (std::size_t i = begin; i < begin + width; ++i) dx[i] = y[i] * (dy[i] - sum);
    }
  }
};

}  // namespace

std::unique_ptr<Layer> make_softmax(const Options& /*options*/) {
  return std::make_unique<Softmax>();
}

}  // namespace lockstep
