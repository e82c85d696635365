// A trained net as an ONNX model.
#pragma once

#include <string>
#include <vector>

#include "export/trained_net.hpp"

namespace lockstep {

inline constexpr int kOnnxOpset = 13;

/// The bytes of a ModelProto: samples in their own units in, values in their own units or probabilities out.
/// Shapes: x float32 [N, inputs], y float32 [N, outputs], N free.
/// Errors: data (2 GiB and more; a normalisation beyond float32, naming the column).
[[nodiscard]] std::string build_onnx(const TrainedNet& net);

/// What the model loses against the net: it takes and normalises samples in float32.
[[nodiscard]] std::vector<std::string> onnx_notices(const TrainedNet& net);

}  // namespace lockstep
