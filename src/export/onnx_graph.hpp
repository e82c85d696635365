// An ONNX graph: nodes from "x" [N, inputs] to "y" [N, outputs], and constants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/protobuf.hpp"
#include "layers/layer_export.hpp"

namespace lockstep {

inline constexpr std::string_view kOnnxInput = "x";
inline constexpr std::string_view kOnnxOutput = "y";

/// Values are named by the node or constant that gives them; the caller keeps the names apart.
class OnnxGraph {
 public:
  using Attribute = OnnxNodes::Attribute;

  /// Adds a constant of float32; returns its name. Shapes: values [product of shape]; no shape: a scalar.
  std::string constant(std::string name, std::span<const std::size_t> shape, std::span<const float> values);
  std::string scalar(std::string name, float value) { return constant(std::move(name), {}, {&value, 1}); }

  /// The same of int64 [values].
  std::string integers(std::string name, std::span<const std::int64_t> values);

  /// Adds a node with one output; returns its name.
  std::string node(std::string name, std::string_view type, std::vector<std::string> inputs,
                   std::vector<Attribute> attributes = {});
  /// Gives the node that was added last another name, which is returned; nothing may have read it yet.
  std::string rename_last(std::string name);

  /// The GraphProto. `last`, what the nodes end in, becomes the output; rows are free, dimension "N".
  [[nodiscard]] ProtobufMessage finish(const std::string& name, const std::string& last, std::size_t inputs,
                                       std::size_t outputs);

 private:
  std::string add_constant(std::string name, std::int64_t type, std::span<const std::size_t> shape,
                           std::string_view bytes);

  struct Node {
    std::string name;
    std::string_view type;
    std::vector<std::string> inputs;
    std::string output;
    std::vector<Attribute> attributes;
  };
  std::vector<Node> nodes_;
  std::vector<ProtobufMessage> constants_;
};

}  // namespace lockstep
