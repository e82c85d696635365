// layer_norm (Ba et al., 2016) over the last extent: y = (x - mean) / sqrt(variance + eps) * weight + bias.
//
// With h = (x - mean) r, r = 1 / sqrt(variance + eps), g = dy * weight: dx = r (g - mean of g - h (mean of g h)).
#include <array>
#include <cmath>

#include "layers/input_shapes.hpp"
#include "layers/layer.hpp"

namespace lockstep {
namespace {

// Sums in double, in an order that no vector width changes.
class Lanes {
 public:
  void add(std::size_t i, double value) { lanes_[i % lanes_.size()] += value; }
  [[nodiscard]] double sum() const {
    return ((lanes_[0] + lanes_[1]) + (lanes_[2] + lanes_[3])) + ((lanes_[4] + lanes_[5]) + (lanes_[6] + lanes_[7]));
  }

 private:
  std::array<double, 8> lanes_ = {};
};

struct MeanAndScale {
  float mean = 0;
  float scale = 0;  // 1 / sqrt(variance + eps)
};

class LayerNorm final : public Layer {
 public:
  LayerNorm(double eps, bool affine, bool bias) : eps_(eps), affine_(affine), bias_(affine && bias) {}

  [[nodiscard]] LayerPlan plan(std::span<const Shape> inputs) const override {
    const Shape& input = only_input(inputs);
    LayerPlan plan{.output = input, .reads_output = false, .saved = 2 * input.size() / input.back()};
    using Start = ParameterSpec::Start;
    if (affine_) plan.parameters.push_back({"weight", {input.back()}, ParameterKind::norm, Start::constant, 1});
    if (bias_) plan.parameters.push_back({"bias", {input.back()}, ParameterKind::bias, Start::constant, 0});
    return plan;
  }

  void forward(const PassContext& /*pass*/, const ForwardCall& call) const override {
    const std::size_t width = call.y.shape.back();
    for (std::size_t at = 0; at * width < call.y.values.size(); ++at) {
      const auto x = call.x[0].values.subspan(at * width, width);
      const auto y = call.y.values.subspan(at * width, width);
      const MeanAndScale moments = mean_and_scale_of(x);
      for (std::size_t i = 0; i < width; ++i) y[i] = (x[i] - moments.mean) * moments.scale;
      if (affine_) {
        for (std::size_t i = 0; i < width; ++i) y[i] *= call.parameters[0][i];
      }
      if (bias_) {
        for (std::size_t i = 0; i < width; ++i) y[i] += call.parameters[1][i];
      }
      if (call.saved.empty()) continue;
      call.saved[2 * at] = moments.mean;
      call.saved[2 * at + 1] = moments.scale;
    }
  }

  void backward(const PassContext& pass, const BackwardCall& call) const override {
    const std::size_t width = call.dy.shape.back();
    const bool learns = affine_ && !pass.frozen;
    for (std::size_t i = 0; learns && i < call.gradients.size(); ++i) {
      for (float& value : call.gradients[i]) value = 0;
    }
    for (std::size_t at = 0; at * width < call.dy.values.size(); ++at) {
      const auto x = call.x[0].values.subspan(at * width, width);
      const auto dy = call.dy.values.subspan(at * width, width);
      const MeanAndScale moments{.mean = call.saved[2 * at], .scale = call.saved[2 * at + 1]};
      const auto normed = [&](std::size_t i) { return (x[i] - moments.mean) * moments.scale; };
      if (learns) {
        for (std::size_t i = 0; i < width; ++i) call.gradients[0][i] += dy[i] * normed(i);
      }
      if (learns && bias_) {
        for (std::size_t i = 0; i < width; ++i) call.gradients[1][i] += dy[i];
      }
      if (call.dx[0].values.empty()) continue;
      const auto of_y = [&](std::size_t i) { return affine_ ? dy[i] * call.parameters[0][i] : dy[i]; };
      Lanes sum;
      Lanes products;
      for (std::size_t i = 0; i < width; ++i) {
        sum.add(i, of_y(i));
        products.add(i, double{of_y(i)} * double{normed(i)});
      }
      const auto mean = static_cast<float>(sum.sum() / static_cast<double>(width));
      const auto product = static_cast<float>(products.sum() / static_cast<double>(width));
      const auto dx = call.dx[0].values.subspan(at * width, width);
      for (std::size_t i = 0; i < width; ++i) dx[i] = moments.scale * (of_y(i) - mean - normed(i) * product);
    }
  }

 private:
  [[nodiscard]] MeanAndScale mean_and_scale_of(std::span<const float> x) const {
    const auto count = static_cast<double>(x.size());
    Lanes sum;
    for (std::size_t i = 0; i < x.size(); ++i) sum.add(i, x[i]);
    const double mean = sum.sum() / count;
    Lanes squares;
    for (std::size_t i = 0; i < x.size(); ++i) squares.add(i, (x[i] - mean) * (x[i] - mean));
    return {.mean = static_cast<float>(mean), .scale = static_cast<float>(1 / std::sqrt(squares.sum() / count + eps_))};
  }

  double eps_;
  bool affine_;
  bool bias_;
};

}  // namespace

std::unique_ptr<Layer> make_layer_norm(const Options& options) {
  return std::make_unique<LayerNorm>(options.number("eps"), options.boolean("elementwise_affine"),
                                     options.boolean("bias"));
}

}  // namespace lockstep
