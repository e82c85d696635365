// The matrix products of a net as numbers: what bench and doctor time by themselves.
#pragma once

#include <cstddef>

namespace lockstep {

/// y = x W^T, and backward dW = dy^T x and dx = dy W.
/// Shapes for n samples: x [n rows, in], W [out, in], y [n rows, out].
struct Product {
  std::size_t rows = 1;  ///< of x, a sample
  std::size_t out = 0;
  std::size_t in = 0;
  bool needs_dw = true;  ///< false where the layer is frozen
  bool needs_dx = true;  ///< false where nothing before it is trained
};

}  // namespace lockstep
