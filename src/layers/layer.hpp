// A layer: arithmetic without state.
//
// A layer is configuration; activations, parameters, and random keys are handed in, so one object serves any number of
// shards. Rows are samples, [n, width], row-major and packed.
// Gradients are OVERWRITTEN, never added to; they are sums over the rows, not means.
//
// Adding a layer: see layer_table.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compute/compute.hpp"
#include "core/function_ref.hpp"
#include "core/parameters.hpp"
#include "core/random.hpp"
#include "lockstep/options.hpp"

namespace lockstep {

/// A tensor a layer wants in the arenas, and the numbers it starts from.
struct ParameterSpec {
  enum class Start { constant, uniform, normal };
  std::string name;  ///< "weight", "bias"
  std::vector<std::size_t> shape;
  ParameterKind kind = ParameterKind::weight;
  Start start = Start::constant;
  double scale = 0;  ///< the constant, the half width of uniform, or the deviation of normal
};

/// Told by a layer that the gradient of tensor `tensor` is complete from element `from` on, and that of all tensors
/// behind it: so an exchange may begin before the layer has ended. A layer need not tell.
using GradientDone = FunctionRef<void(std::size_t tensor, std::size_t from)>;

/// What a pass over some rows knows besides the numbers.
struct PassContext {
  bool training = false;                        ///< dropout drops only when training
  std::uint64_t seed = 0;                       ///< the run's seed
  std::uint32_t step = 0;                       ///< steps done before this one
  std::uint32_t layer = 0;                      ///< index of the layer in the model
  std::span<const std::uint32_t> samples = {};  ///< [n] global sample indices, for random keys
  const GradientDone* gradient_done = nullptr;  ///< for backward; may be null
  bool frozen = false;                          ///< backward leaves the gradients alone
  std::size_t rows = 0;                         ///< of x
  const Compute* compute = nullptr;             ///< for layers with products; the model's
};

/// What backward reads besides dy, and whether a layer can work in place.
struct LayerTraits {
  bool reads_input = true;        ///< backward reads x
  bool reads_output = true;       ///< backward reads y
  bool number_by_number = false;  ///< each number is mapped by itself: y may be x and dx may be dy, the same memory
};

class Layer {
 public:
  virtual ~Layer() = default;

  [[nodiscard]] virtual LayerTraits traits() const { return {}; }

  /// Width of the output for `inputs` columns.
  [[nodiscard]] virtual std::size_t outputs(std::size_t inputs) const { return inputs; }

  /// The tensors of this layer for `inputs` columns, in arena order.
  [[nodiscard]] virtual std::vector<ParameterSpec> parameters(std::size_t /*inputs*/) const { return {}; }

  /// y = f(x).  x [n,in], y [n,out]; they do not overlap, but see LayerTraits.
  virtual void forward(const PassContext& pass, ParameterViews<const float> parameters, std::span<const float> x,
                       std::span<float> y) const = 0;

  /// dx = dL/dx and, unless the layer is frozen, gradients = dL/dparameters from dy = dL/dy.
  /// x, y as forward saw and made them, where the traits say that they are read; dy [n,out]; dx [n,in], or empty where
  /// nobody needs it (the first layer).
  virtual void backward(const PassContext& pass, ParameterViews<const float> parameters, std::span<const float> x,
                        std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                        ParameterViews<float> gradients) const = 0;
};

}  // namespace lockstep
