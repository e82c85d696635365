// Products against a triple loop, their errors, that they repeat to the bit, and on whose threads.
#include "compute/compute.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/buffer.hpp"
#include "core/random.hpp"
#include "support/expect_error.hpp"

namespace lockstep {
namespace {

std::vector<float> sample(std::size_t size, std::uint32_t index) {
  std::vector<float> values(size);
  fill_uniform({11, RandomPurpose::bench, index, 0, 0}, -1.0F, 1.0F, values);
  return values;
}

void expect_product(const GemmShape& s, Transpose ta, Transpose tb, float beta) {
  const std::vector<float> a = sample(s.m * s.k, 1);
  const std::vector<float> b = sample(s.k * s.n, 2);
  const std::vector<float> before = sample(s.m * s.n, 3);
  std::vector<float> c = before;
  make_compute()->gemm(s, ta, a, tb, b, beta, c);
  for (std::size_t i = 0; i < s.m; ++i) {
    for (std::size_t j = 0; j < s.n; ++j) {
      double sum = double{beta} * before[i * s.n + j];
      for (std::size_t p = 0; p < s.k; ++p) {
        sum += double{ta == Transpose::yes ? a[p * s.m + i] : a[i * s.k + p]} *
               double{tb == Transpose::yes ? b[j * s.k + p] : b[p * s.n + j]};
      }
      // k products of numbers below 1, each sum rounded to 6e-8 of at most k.
      const double tolerance = 1e-7 * static_cast<double>(s.k + 2) * 2;
      ASSERT_NEAR(c[i * s.n + j], sum, tolerance) << s.m << 'x' << s.n << 'x' << s.k << " at " << i << ',' << j;
    }
  }
}

TEST(Gemm, IsTheProductForEverySizeAndTranspose) {
  for (const std::size_t m : {0U, 1U, 3U, 16U, 17U}) {
    for (const std::size_t n : {0U, 1U, 5U, 33U}) {
      for (const std::size_t k : {0U, 1U, 7U, 64U}) {
        for (const Transpose ta : {Transpose::no, Transpose::yes}) {
          for (const Transpose tb : {Transpose::no, Transpose::yes}) {
            for (const float beta : {0.0F, 1.0F, 0.5F}) expect_product({m, n, k}, ta, tb, beta);
          }
        }
      }
    }
  }
}

TEST(Gemm, WithBetaZeroDoesNotReadTheResultsOldValues) {
  for (const std::size_t k : {0U, 4U}) {
    std::vector<float> c(6, std::numeric_limits<float>::quiet_NaN());
    make_compute()->gemm({2, 3, k}, Transpose::no, sample(2 * k, 1), Transpose::no, sample(k * 3, 2), 0.0F, c);
    for (const float value : c) EXPECT_TRUE(std::isfinite(value)) << k;
  }
}

TEST(Gemm, RepeatsToTheBitAtOtherCacheLines) {
  const GemmShape s{37, 29, 53};
  const auto compute = make_compute();
  const std::vector<float> a = sample(s.m * s.k, 1);
  const std::vector<float> b = sample(s.k * s.n, 2);
  Buffer<float> first(s.m * s.n);
  compute->gemm(s, Transpose::no, a, Transpose::yes, b, 0.0F, first.view());
  for (std::size_t line = 0; line < 6; ++line) {
    Buffer<float> place(a.size() + b.size() + first.size() + 4096);
    const auto at = [&](std::size_t from) { return place.view().subspan((from + 15) / 16 * 16 + 16 * line); };
    const std::span<float> a2 = at(0).first(a.size());
    const std::span<float> b2 = at(a.size() + 16).first(b.size());
    const std::span<float> c2 = at(a.size() + b.size() + 48).first(first.size());
    std::ranges::copy(a, a2.begin());
    std::ranges::copy(b, b2.begin());
    compute->gemm(s, Transpose::no, a2, Transpose::yes, b2, 0.0F, c2);
    EXPECT_TRUE(std::ranges::equal(c2, first.view())) << line;
  }
}

TEST(Gemm, RefusesSpansOfAnotherSize) {
  const std::vector<float> six(6);
  const std::vector<float> five(5);
  std::vector<float> four(4);
  std::vector<float> nine(9);
  const auto multiply = [](std::span<const float> a, std::span<const float> b, std::span<float> c) {
    make_compute()->gemm({2, 2, 3}, Transpose::no, a, Transpose::no, b, 0.0F, c);
  };
  EXPECT_NO_THROW(multiply(six, six, four));
  expect_error(ErrorKind::usage, {"gemm"}, [&] { multiply(five, six, four); });
  expect_error(ErrorKind::usage, {"gemm"}, [&] { multiply(six, five, four); });
  expect_error(ErrorKind::usage, {"gemm"}, [&] { multiply(six, six, nine); });
}

TEST(Compute, NamesItsBackendKernelAndVersion) {
  const auto compute = make_compute();
  EXPECT_EQ(compute->backend(), "openblas");
  EXPECT_FALSE(compute->kernel().empty());
  EXPECT_TRUE(compute->version().starts_with("OpenBLAS 0.")) << compute->version();
}

TEST(Compute, RefusesThreadsThatCannotBe) {
  for (const std::int64_t threads : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40U}) {
    expect_error(ErrorKind::config, {"train.threads"}, [&] { (void)make_compute({.threads = threads}); });
  }
}

// The setting is one of the process; each object computes as if it were alone. This process may load OpenBLAS itself.
TEST(Compute, EachObjectHasItsOwnThreads) {
  const auto one = make_compute({.threads = 1});
  const auto two = make_compute({.threads = 2});
  one->prepare();
  auto* const get_threads = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "openblas_get_num_threads"));
  ASSERT_NE(get_threads, nullptr);
  const std::vector<float> four{1, 2, 3, 4};
  std::vector<float> product(4);
  for (const auto& compute : {one, two, two, one, two}) {
    compute->gemm({2, 2, 2}, Transpose::no, four, Transpose::no, four, 0.0F, product);
    EXPECT_EQ(get_threads(), compute->threads());
  }
}

}  // namespace
}  // namespace lockstep
