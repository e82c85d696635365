// The one file that includes <cblas.h>.
#include "core/blas.hpp"

#include <cblas.h>

#include "core/convert.hpp"

namespace lockstep {

void gemm(const GemmShape& shape, Transpose trans_a, std::span<const float> a, Transpose trans_b,
          std::span<const float> b, float beta, std::span<float> c) {
  const bool ta = trans_a == Transpose::yes;
  const bool tb = trans_b == Transpose::yes;
  const std::size_t a_row = ta ? shape.m : shape.k;
  const std::size_t a_stride = shape.a_stride == 0 ? a_row : shape.a_stride;
  const std::size_t a_rows = ta ? shape.k : shape.m;
  const std::size_t a_size = a_rows == 0 ? 0 : (a_rows - 1) * a_stride + a_row;
  if (a_stride < a_row || a.size() != a_size || b.size() != shape.k * shape.n || c.size() != shape.m * shape.n) {
    throw Error(ErrorKind::usage, "gemm: a span does not have the size its shape says");
  }
  if (c.empty()) return;
  const int m = narrow<int>(shape.m, "gemm: m");
  const int n = narrow<int>(shape.n, "gemm: n");
  const int k = narrow<int>(shape.k, "gemm: k");
  if (k == 0) {  // an empty sum; BLAS wants leading dimensions of at least 1
    for (float& value : c) value = beta == 0.0F ? 0.0F : beta * value;
    return;
  }
  cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, 1.0F, a.data(),
              narrow<int>(a_stride, "gemm: the stride of A"), b.data(), tb ? k : n, beta, c.data(), n);
}

void set_blas_threads(int threads) {
  if (openblas_get_num_threads() != threads) openblas_set_num_threads(threads);
}

std::string blas_kernel() {
  return openblas_get_corename();
}

std::string blas_version() {
  // The configuration text starts with name and version: "OpenBLAS 0.3.21 NO_LAPACKE ...".
  const std::string config = openblas_get_config();
  return config.substr(0, config.find(' ', config.find(' ') + 1));
}

}  // namespace lockstep
