// The one file that includes <cblas.h>.
#include "compute/openblas.hpp"

#include <cblas.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <vector>

#include "core/convert.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

// OpenBLAS, loaded with the first call that needs it: loading it takes buffers and starts threads, and where memory is
// limited it can wait for them for ever. Commands that compute nothing must not meet that.
struct Library {
  decltype(&cblas_sgemm) sgemm;
  decltype(&openblas_get_num_threads) get_num_threads;
  decltype(&openblas_set_num_threads) set_num_threads;
  decltype(&openblas_get_corename) get_corename;
  decltype(&openblas_get_config) get_config;
};

[[noreturn]] void refuse(const char* what) {
  const char* reason = dlerror();
  throw Error(ErrorKind::io, fmt::format("{}: {}; is OpenBLAS installed, and its folder in LD_LIBRARY_PATH?", what,
                                         reason == nullptr ? "not found" : reason));
}

// Looked up as a linker does: what the process has loaded before comes first.
template <class Function>
void find(const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
  if (function == nullptr) refuse(name);
}

// Its buffer for packed matrices, of 128 MiB on most CPUs. OpenBLAS tries for ever where it cannot have it, so it is
// tried here before, and then taken at once, by a product that is no small one, before other memory is.
void take_buffer(const Library& blas) {
  constexpr std::size_t kBytes = std::size_t{144} << 20U;
  void* room = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) {
    throw Error(ErrorKind::io, fmt::format("out of memory: OpenBLAS needs {} MiB for its buffer; is memory limited "
                                           "(ulimit -v)?",
                                           kBytes >> 20U));
  }
  munmap(room, kBytes);
  constexpr int kN = 128;
  const std::vector<float> in(kN * kN, 1.0F);
  std::vector<float> out(kN * kN);
  blas.sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, kN, kN, kN, 1.0F, in.data(), kN, in.data(), kN, 0.0F,
             out.data(), kN);
}

Library load() {
  if (dlopen(LOCKSTEP_OPENBLAS, RTLD_NOW | RTLD_GLOBAL) == nullptr) refuse(LOCKSTEP_OPENBLAS);
  Library blas{};
  find("cblas_sgemm", blas.sgemm);
  find("openblas_get_num_threads", blas.get_num_threads);
  find("openblas_set_num_threads", blas.set_num_threads);
  find("openblas_get_corename", blas.get_corename);
  find("openblas_get_config", blas.get_config);
  take_buffer(blas);
  return blas;
}

const Library& library() {
  static const Library blas = load();
  return blas;
}

class OpenBlas final : public Compute {
 public:
  explicit OpenBlas(int threads) : threads_(threads) {}

  [[nodiscard]] std::string_view backend() const noexcept override { return "openblas"; }
  [[nodiscard]] std::int64_t threads() const noexcept override { return threads_; }
  void prepare() const override { (void)blas(); }
  [[nodiscard]] std::string kernel() const override { return blas().get_corename(); }
  [[nodiscard]] std::string version() const override {
    // The configuration text starts with name and version: "OpenBLAS 0.3.21 NO_LAPACKE ...".
    const std::string config = blas().get_config();
    return config.substr(0, config.find(' ', config.find(' ') + 1));
  }

  void gemm(const GemmShape& shape, Transpose trans_a, std::span<const float> a, Transpose trans_b,
            std::span<const float> b, float beta, std::span<float> c) const override {
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
    blas().sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, 1.0F, a.data(),
                 narrow<int>(a_stride, "gemm: the stride of A"), b.data(), tb ? k : n, beta, c.data(), n);
  }

 private:
  // Its threads are a setting of the process, which another object, or the program around us, may have changed since
  // the last product. To look costs a few nanoseconds.
  [[nodiscard]] const Library& blas() const {
    const Library& blas = library();
    if (blas.get_num_threads() != granted_) {
      blas.set_num_threads(threads_);
      granted_ = blas.get_num_threads();
    }
    return blas;
  }

  int threads_;
  mutable int granted_ = 0;  // of these: a build of OpenBLAS has a largest number
};

}  // namespace

std::shared_ptr<const Compute> make_openblas(int threads) {
  return std::make_shared<const OpenBlas>(threads);
}

}  // namespace lockstep
