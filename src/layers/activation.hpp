// Base of the layers that map each number by itself and have no parameters.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "layers/input_shapes.hpp"
#include "layers/layer.hpp"

namespace lockstep {

/// Calls `map(begin, room)` for parts of `size` numbers, room [part] being memory for as many.
template <class Map>
void in_chunks(std::size_t size, Map&& map) {
  constexpr std::size_t chunk = 512;
  std::array<float, chunk> room;
  for (std::size_t begin = 0; begin < size; begin += chunk) {
    map(begin, std::span(room).first(std::min(chunk, size - begin)));
  }
}

/// y[i] = f(x[i]). All spans have one size.
class Activation : public Layer {
 public:
  /// What `differentiate` reads.
  enum class Reads { input, output };
  explicit Activation(Reads reads) : reads_(reads) {}

  [[nodiscard]] LayerPlan plan(std::span<const Shape> inputs) const final {
    return {.output = only_input(inputs),
            .reads_input = reads_ == Reads::input,
            .reads_output = reads_ == Reads::output,
            .in_place = true};
  }

  void forward(const PassContext& /*pass*/, const ForwardCall& call) const final {
    apply(call.x[0].values, call.y.values);
  }

  void backward(const PassContext& /*pass*/, const BackwardCall& call) const final {
    if (call.dx[0].values.empty()) return;
    differentiate(reads_ == Reads::input ? call.x[0].values : call.y.values, call.dy.values, call.dx[0].values);
  }

 private:
  /// y may be x.
  virtual void apply(std::span<const float> x, std::span<float> y) const = 0;
  /// dx[i] = f'(x[i]) dy[i]. seen [n]: x or y, as the layer reads; dx may be dy.
  virtual void differentiate(std::span<const float> seen, std::span<const float> dy, std::span<float> dx) const = 0;

  Reads reads_;
};

}  // namespace lockstep
