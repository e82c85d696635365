#include "layers/layer_onnx.hpp"

#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

namespace lockstep {

// y = x W^T + b.  W [out,in] is a Gemm's B, transposed. A Gemm takes matrices only.
std::string onnx_dense(OnnxNodes& nodes, const Options& /*options*/, const std::string& x) {
  std::vector<std::string> inputs = nodes.tensors();
  if (nodes.sizes().input.dims() > 1) {
    const std::string product = nodes.node("MatMul", {x, nodes.node("Transpose", {inputs[0]})});
    return inputs.size() == 1 ? product : nodes.node("Add", {product, inputs[1]});
  }
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
  if (nodes.sizes().output.dims() == 1) return nodes.node("Flatten", {x}, {{"axis", std::int64_t{1}}});
  std::vector<std::int64_t> shape{0};  // the rows, as they are
  for (const std::size_t extent : nodes.sizes().output.extents()) shape.push_back(static_cast<std::int64_t>(extent));
  return nodes.node("Reshape", {x, nodes.integers(shape)});
}

// The operator of that name is of a later opset. Each position is an instance of one channel: [n positions, 1, width].
std::string onnx_layer_norm(OnnxNodes& nodes, const Options& options, const std::string& x) {
  const Shape input = nodes.sizes().input;
  const auto width = static_cast<std::int64_t>(input.back());
  const std::vector<float> one{1.0F};
  const std::vector<float> zero{0.0F};
  std::string at = nodes.node("Reshape", {x, nodes.integers(std::vector<std::int64_t>{-1, 1, width})});
  at = nodes.node("InstanceNormalization", {at, nodes.vector(one), nodes.vector(zero)},
                  {{"epsilon", static_cast<float>(options.number("eps"))}});
  at = nodes.node("Reshape", {at, nodes.integers(std::vector<std::int64_t>{-1, width})});
  const std::vector<std::string> tensors = nodes.tensors();
  if (!tensors.empty()) at = nodes.node("Mul", {at, tensors[0]});
  if (tensors.size() > 1) at = nodes.node("Add", {at, tensors[1]});
  if (input.dims() == 1) return at;
  std::vector<std::int64_t> back{-1};
  for (const std::size_t extent : input.extents()) back.push_back(static_cast<std::int64_t>(extent));
  return nodes.node("Reshape", {at, nodes.integers(back)});
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
