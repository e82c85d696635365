// Matrix products. blas.cpp is the one file that includes <cblas.h>.
//
// With one thread, one BLAS kernel and equal shapes a product repeats to the bit; that is what the bits of a run
// rest on, so shapes must never depend on the rank count.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace lockstep {

enum class Transpose { no, yes };

/// C = op(A) op(B) + beta C, row-major, densely packed.
/// Shapes: op(A) [m,k], op(B) [k,n], C [m,n]. m, n and k fit an int; any may be 0.
/// Errors: usage (a span does not have the size its shape says).
struct GemmShape {
  std::size_t m = 0;
  std::size_t n = 0;
  std::size_t k = 0;
  std::size_t a_stride = 0;  ///< from one stored row of A to the next, where A is a part of wider rows; 0: packed
};
void gemm(const GemmShape& shape, Transpose trans_a, std::span<const float> a, Transpose trans_b,
          std::span<const float> b, float beta, std::span<float> c);

// OpenBLAS is loaded by the first call of any of these. Errors of all: io (it cannot be loaded).

/// Sets the BLAS threads of this process (a process-wide setting of the BLAS library).
void set_blas_threads(int threads);
/// The kernel that the BLAS chose for this CPU, e.g. "Haswell".
[[nodiscard]] std::string blas_kernel();
/// Name and version of the BLAS library.
[[nodiscard]] std::string blas_version();

}  // namespace lockstep
