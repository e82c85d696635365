// How a layer is said in other programs: by nodes of ONNX, as a module of PyTorch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/shape.hpp"
#include "lockstep/options.hpp"

namespace lockstep {

struct LayerSizes {
  Shape input;  ///< the first
  Shape output;
};

/// What a layer adds to an ONNX graph (opset 13 at most). Values are named by those that give them.
class OnnxNodes {
 public:
  using Attribute = std::pair<std::string_view, std::variant<std::int64_t, float, std::vector<std::int64_t>>>;

  virtual ~OnnxNodes() = default;
  /// Adds a node with one output; returns its name.
  virtual std::string node(std::string_view type, std::vector<std::string> inputs,
                           std::vector<Attribute> attributes = {}) = 0;
  /// Adds a constant.
  virtual std::string scalar(float value) = 0;
  virtual std::string vector(std::span<const float> values) = 0;
  virtual std::string matrix(std::span<const float> values, std::size_t columns) = 0;
  virtual std::string integers(std::span<const std::int64_t> values) = 0;
  /// All inputs of the layer.
  [[nodiscard]] virtual std::vector<std::string> inputs() = 0;
  [[nodiscard]] virtual LayerSizes sizes() = 0;
  /// The layer's tensors, in the order of the arena.
  [[nodiscard]] virtual std::vector<std::string> tensors() = 0;
  /// The numbers of each of them.
  [[nodiscard]] virtual std::vector<std::span<const float>> values() = 0;
};

/// A class of torch.nn, or a function of torch where it has none (with a small letter), and the arguments that make
/// the layer.
struct TorchModule {
  std::string_view name;
  std::vector<std::pair<std::string_view, OptionValue>> arguments = {};
};

}  // namespace lockstep
