// Base of the layers that map each number by itself and have no parameters.
#pragma once

#include "layers/layer.hpp"

namespace lockstep {

/// y[i] = f(x[i]). All spans have one size.
class Activation : public Layer {
 public:
  void forward(const PassContext& /*pass*/, ParameterViews<const float> /*parameters*/, std::span<const float> x,
               std::span<float> y) const final {
    apply(x, y);
  }

  void backward(const PassContext& /*pass*/, ParameterViews<const float> /*parameters*/, std::span<const float> x,
                std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                ParameterViews<float> /*gradients*/) const final {
    if (!dx.empty()) differentiate(x, y, dy, dx);
  }

 private:
  virtual void apply(std::span<const float> x, std::span<float> y) const = 0;
  /// dx[i] = f'(x[i]) dy[i], where y[i] = f(x[i]).
  virtual void differentiate(std::span<const float> x, std::span<const float> y, std::span<const float> dy,
                             std::span<float> dx) const = 0;
};

}  // namespace lockstep
