#include "layers/layer_onnx.hpp"

#include <cstdint>
#include <numbers>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep {

// y = x W^T + b.  W [out,in] is a Gemm's B, transposed. A Gemm takes matrices only.
std::string onnx_dense(OnnxNodes& nodes, const Options& /*options*/, const std::string& x) {
  if (nodes.sizes().input.dims() > 1) {
    const std::span<const float> weight = nodes.values()[0];
    const std::size_t in = nodes.sizes().input.back();
    const std::size_t out = weight.size() / in;
    std::vector<float> transposed(weight.size());
    for (std::size_t i = 0; i < out; ++i) {
      for (std::size_t j = 0; j < in; ++j) transposed[j * out + i] = weight[i * in + j];
    }
    const std::string product = nodes.node("MatMul", {x, nodes.matrix(transposed, out)});
    return nodes.values().size() == 1 ? product : nodes.node("Add", {product, nodes.vector(nodes.values()[1])});
  }
  std::vector<std::string> inputs = nodes.tensors();
  inputs.insert(inputs.begin(), x);
  return nodes.node("Gemm", std::move(inputs), {{"transB", std::int64_t{1}}});
}

// A later opset has a Gelu; these are known to every runtime. Formulas: layers/gelu.cpp.
std::string onnx_gelu(OnnxNodes& nodes, const Options& options, const std::string& x) {
  constexpr float kSqrt2 = std::numbers::sqrt2_v<float>;
  std::string phi;  // 2 Phi(x) - 1
  if (options.text("approximate") == "tanh") {
    const std::string cube = nodes.node("Mul", {nodes.node("Mul", {x, x}), x});
    const std::string sum = nodes.node("Add", {x, nodes.node("Mul", {cube, nodes.scalar(0.044715F)})});
    phi = nodes.node("Tanh", {nodes.node("Mul", {sum, nodes.scalar(kSqrt2 * std::numbers::inv_sqrtpi_v<float>)})});
  } else {
    phi = nodes.node("Erf", {nodes.node("Mul", {x, nodes.scalar(1.0F / kSqrt2)})});
  }
  const std::string twice = nodes.node("Add", {phi, nodes.scalar(1.0F)});
  return nodes.node("Mul", {nodes.node("Mul", {x, nodes.scalar(0.5F)}), twice});
}

std::string onnx_reshape(OnnxNodes& nodes, const Options& /*options*/, const std::string& x) {
  const Shape output = nodes.sizes().output;
  if (output.dims() == 1) return nodes.node("Flatten", {x}, {{"axis", std::int64_t{1}}});
  std::vector<std::int64_t> shape{0};  // the rows, as they are
  for (const std::size_t extent : output.extents()) shape.push_back(static_cast<std::int64_t>(extent));
  return nodes.node("Reshape", {x, nodes.integers(shape)});
}

// The operator of that name is of a later opset. A position is a channel of an instance: [n, positions, width]; weight
// and bias stand behind each other for all positions.
std::string onnx_layer_norm(OnnxNodes& nodes, const Options& options, const std::string& x) {
  const Shape input = nodes.sizes().input;
  const std::size_t positions = input.size() / input.back();
  const auto reshape = [&](const std::string& from, std::vector<std::size_t> extents) {
    std::vector<std::int64_t> shape{0};  // the rows, as they are
    for (const std::size_t extent : extents) shape.push_back(static_cast<std::int64_t>(extent));
    return nodes.node("Reshape", {from, nodes.integers(shape)});
  };
  const std::vector<float> ones(positions, 1.0F);
  const std::vector<float> zeros(positions, 0.0F);
  std::string at = reshape(x, {positions, input.back()});
  at = nodes.node("InstanceNormalization", {at, nodes.vector(ones), nodes.vector(zeros)},
                  {{"epsilon", static_cast<float>(options.number("eps"))}});
  at = reshape(at, {input.size()});
  std::string_view type = "Mul";
  for (const std::span<const float> values : nodes.values()) {
    std::vector<float> everywhere;
    for (std::size_t i = 0; i < positions; ++i) everywhere.insert(everywhere.end(), values.begin(), values.end());
    at = nodes.node(type, {at, nodes.vector(everywhere)});
    type = "Add";
  }
  if (input.dims() == 1) return at;
  return reshape(at, {input.extents().begin(), input.extents().end()});
}

std::string onnx_batch_norm(OnnxNodes& nodes, const Options& options, const std::string& x) {
  std::vector<std::string> inputs = nodes.tensors();
  if (!options.boolean("affine")) {
    const std::size_t channels = nodes.sizes().input[0];
    inputs.insert(inputs.begin(),
                  {nodes.vector(std::vector<float>(channels, 1.0F)), nodes.vector(std::vector<float>(channels, 0.0F))});
  }
  inputs.insert(inputs.begin(), x);
  return nodes.node("BatchNormalization", std::move(inputs), {{"epsilon", static_cast<float>(options.number("eps"))}});
}

}  // namespace lockstep
