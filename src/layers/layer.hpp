// A layer: arithmetic without state.
//
// A layer is configuration; activations, parameters, and random keys are handed in, so one object serves any number of
// shards. Rows are samples, row-major and packed, see Tensor.
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
#include "compute/product.hpp"
#include "core/function_ref.hpp"
#include "core/parameters.hpp"
#include "core/random.hpp"
#include "core/shape.hpp"
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
  bool frozen = false;                          ///< backward leaves the gradients alone, running state is not moved
  const Compute* compute = nullptr;             ///< for layers with products; the model's
};

/// Multiply-adds count as two [flops], for one sample.
struct Cost {
  double forward = 0;
  double by_weights = 0;  ///< of backward, for the gradient of the parameters
  double by_inputs = 0;   ///< of backward, for that of the inputs
};

/// What a layer comes to for given inputs; it is asked once, when the net is made.
struct LayerPlan {
  Shape output;
  std::vector<ParameterSpec> parameters = {};  ///< in arena order
  bool reads_input = true;                     ///< backward reads x
  bool reads_output = true;                    ///< backward reads y
  bool in_place = false;                       ///< y may be the memory of one x, and that x's dx the memory of dy
  std::size_t saved = 0;                       ///< floats a sample that forward leaves for backward
  std::size_t shard_sums = 0;                  ///< numbers that are added up over the whole batch, see BatchSums
  std::vector<Product> products = {};          ///< matrix products, for bench and doctor
  Cost cost = {};
};

/// The numbers of a layer that needs sums over the whole batch, in whatever shards it comes: those of one shard where
/// forward_sums() and backward_sums() write them, those of all where forward() and backward() read them.
struct BatchSums {
  std::span<double> forward;   ///< [shard_sums]
  std::span<double> backward;  ///< [shard_sums]
};

struct ForwardCall {
  ParameterViews<const float> parameters;
  std::span<const Tensor<const float>> x;  ///< one an input
  Tensor<float> y;                         ///< of the plan's output; no x overlaps it, but see LayerPlan::in_place
  std::span<float> saved = {};             ///< [rows, plan's saved]; empty where there will be no backward
  BatchSums sums = {};
};

struct BackwardCall {
  ParameterViews<const float> parameters;
  std::span<const Tensor<const float>> x;  ///< as forward saw them, where the plan says that they are read
  Tensor<const float> y;                   ///< as forward made it, where the plan says that it is read
  Tensor<const float> dy;
  std::span<const float> saved = {};
  std::span<const Tensor<float>> dx;  ///< one an input; without values where nobody needs it
  ParameterViews<float> gradients;
  BatchSums sums = {};
};

class Layer {
 public:
  virtual ~Layer() = default;

  /// Errors: config (inputs that it does not take); the caller says which layer and inputs.
  [[nodiscard]] virtual LayerPlan plan(std::span<const Shape> inputs) const = 0;

  /// y = f(x).
  virtual void forward(const PassContext& pass, const ForwardCall& call) const = 0;

  /// dx = dL/dx and, unless the layer is frozen, gradients = dL/dparameters from dy = dL/dy.
  virtual void backward(const PassContext& pass, const BackwardCall& call) const = 0;

  // ---- where the plan has shard_sums, when training; else not called ----

  /// Of the rows of a shard, before forward(): reads x, writes sums.forward.
  virtual void forward_sums(const PassContext& /*pass*/, const ForwardCall& /*call*/) const {}
  /// Before backward(): reads what that reads and the sums.forward of the batch; writes sums.backward and the shard's
  /// gradients, which backward() leaves alone then.
  virtual void backward_sums(const PassContext& /*pass*/, const BackwardCall& /*call*/) const {}
  /// Moves elements `elements` of tensor `tensor`, of kind running, by the sums.forward of a batch.
  virtual void update_running(std::size_t /*tensor*/, std::span<const double> /*sums*/, Range /*elements*/,
                              std::span<float> /*values*/) const {}
};

/// Of one product: forward, and the two of backward.
[[nodiscard]] inline Cost cost_of(const Product& product) {
  const double flops =
      2.0 * static_cast<double>(product.rows) * static_cast<double>(product.in) * static_cast<double>(product.out);
  return {.forward = flops, .by_weights = flops, .by_inputs = flops};
}

}  // namespace lockstep
