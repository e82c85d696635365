// Layers in plain arithmetic: a formula to read, and the same in double, a number at a time.
//
// This is what training is checked and explained by: it shares no arithmetic with the layers, so that a mistake is not
// made twice. Its files lie in layers/plain/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "core/shape.hpp"

namespace lockstep {

/// What a layer knows of a sample besides its numbers: the key of its random numbers, see RandomKey, and shapes.
struct PlainPass {
  std::uint64_t seed = 0;
  std::uint32_t step = 0;
  std::uint32_t sample = 0;
  std::uint32_t layer = 0;
  std::span<const Shape> shapes = {};  ///< of the inputs
};

/// The inputs of a layer for one sample.
using PlainInputs = std::span<const std::span<const double>>;
/// The numbers of each sample: [rows][numbers].
using PlainRows = std::vector<std::vector<double>>;

/// The tensors of a layer, in the order of the arena.
using PlainTensors = std::span<const std::span<const double>>;

/// Of y = f(x), as text: "a = max(0, z)" and "da/dz = 1 where z > 0, else 0".
struct Formula {
  std::string value;
  std::string slope;
};

class PlainLayer {
 public:
  virtual ~PlainLayer() = default;

  [[nodiscard]] virtual Formula formula() const = 0;

  /// y = f(x) for one sample, as it is in training.  x [inputs][in], y [out].
  virtual void forward(const PlainPass& pass, PlainTensors tensors, PlainInputs x, std::span<double> y) const = 0;

  /// Whether samples depend on each other; then forward_batch is called, not forward.
  [[nodiscard]] virtual bool mixes_samples() const { return false; }
  /// The same for a batch, by a layer of one input.
  virtual void forward_batch(const PlainPass& /*pass*/, PlainTensors /*tensors*/, const PlainRows& /*x*/,
                             PlainRows& /*y*/) const {}

  /// Whether the chain rule is told of it path by path, by what stands below; else it is only checked.
  [[nodiscard]] virtual bool has_slopes() const { return true; }

  /// The one output that depends on element `element` of tensor `tensor`, where there is just one.
  [[nodiscard]] virtual std::optional<std::size_t> output_of(std::size_t /*tensor*/, std::size_t /*element*/,
                                                             const Shape& /*input*/) const {
    return std::nullopt;
  }
  /// Output `index` alone; only where output_of names it.
  [[nodiscard]] virtual double output(PlainTensors /*tensors*/, std::span<const double> /*x*/,
                                      std::size_t /*index*/) const {
    return 0;
  }

  /// Its derivative by that element: dy[output]/dw.
  [[nodiscard]] virtual double weight_slope(std::size_t /*tensor*/, std::size_t /*element*/,
                                            std::span<const double> /*x*/) const {
    return 0;
  }
  /// dy[output]/dx[input], where numbers are not mapped by themselves.
  [[nodiscard]] virtual double input_slope(PlainTensors /*tensors*/, std::span<const double> /*x*/,
                                           std::size_t /*output*/, std::size_t /*input*/) const {
    return 0;
  }

  /// Whether each number is mapped by itself; then slopes() gives dy/dx of each.
  [[nodiscard]] virtual bool number_by_number() const { return false; }
  /// x, dydx [width].
  virtual void slopes(const PlainPass& /*pass*/, std::span<const double> /*x*/, std::span<double> /*dydx*/) const {}

  /// Where f has a kink: the side of it on which each number lies is appended to `sides`.
  virtual void add_sides(std::span<const double> /*x*/, std::vector<bool>& /*sides*/) const {}
};

}  // namespace lockstep
