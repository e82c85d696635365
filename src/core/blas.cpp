// The one file that includes <cblas.h>.
#include "core/blas.hpp"

#include <cblas.h>

#include "core/convert.hpp"

namespace lockstep {

void gemm(const GemmShape& shape, Transpose trans_a, std::span<const float> a, Transpose trans_b,
          std::span<const float> b, float beta, std::span<float> c) {
  if (a.size() != shape.m * shape.k || b.size() != shape.k * shape.n || c.size() != shape.m * shape.n) {
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
  const bool ta = trans_a == Transpose::yes;
  const bool tb = trans_b == Transpose::yes;
  cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, 1.0F, a.data(),
              ta ? m : k, b.data(), tb ? k : n, beta, c.data(), n);
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
