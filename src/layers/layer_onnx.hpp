// The layers that ONNX says by more than one node, or by what the layer's shapes are. For the rows of layer_table.cpp.
#pragma once

#include <string>

#include "layers/layer_export.hpp"

namespace lockstep {

[[nodiscard]] std::string onnx_dense(OnnxNodes& nodes, const Options& options, const std::string& x);
[[nodiscard]] std::string onnx_gelu(OnnxNodes& nodes, const Options& options, const std::string& x);
[[nodiscard]] std::string onnx_layer_norm(OnnxNodes& nodes, const Options& options, const std::string& x);
[[nodiscard]] std::string onnx_batch_norm(OnnxNodes& nodes, const Options& options, const std::string& x);
/// To the shape of the layer's output.
[[nodiscard]] std::string onnx_reshape(OnnxNodes& nodes, const Options& options, const std::string& x);

}  // namespace lockstep
