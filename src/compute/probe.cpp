#include "compute/probe.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <set>

#include "core/buffer.hpp"
#include "core/hash.hpp"
#include "core/random.hpp"
#include "core/vector_math.hpp"

namespace lockstep {
namespace {

struct ProductSize {
  std::size_t rows, out, in;
};
// Libraries have code of its own for small products and for what is left over at edges; and they cut long sums, at
// some hundred to some thousand numbers. Each of the three kinds of product meets all of it.
constexpr std::array<ProductSize, 5> kProducts = {
    {{5, 3, 7}, {32, 64, 48}, {9, 17, 2100}, {2100, 9, 17}, {17, 2100, 9}}};
constexpr std::size_t kNumbers = 1027;  // of functions of one number

std::string hash_text(std::span<const std::byte> bytes) {
  return fmt::format("{:016x}", hash_row(bytes));
}

Buffer<float> some_numbers(std::uint32_t index, float most, std::size_t size) {
  Buffer<float> numbers(size);
  fill_uniform({1, RandomPurpose::check, index}, -most, most, numbers.view());
  return numbers;
}

void probe_products(const Compute& compute, Probe& probe) {
  std::size_t largest = 0;  // of a matrix
  std::size_t all = 0;      // numbers that one kind of product gives
  for (const auto& [rows, out, in] : kProducts) {
    largest = std::max({largest, rows * out, rows * in, out * in});
    all += std::max({rows * out, rows * in, out * in});
  }
  const Buffer<float> a = some_numbers(0, 1, largest);
  const Buffer<float> b = some_numbers(1, 1, largest);
  const auto record = [&](const char* name, auto product) {
    Buffer<float> results(all);
    std::size_t used = 0;
    for (const ProductSize& size : kProducts) used += product(size, results.view().subspan(used));
    probe[name] = hash_text(std::as_bytes(results.view().first(used)));
  };
  record("forward", [&](const ProductSize& s, std::span<float> y) {
    compute.gemm({s.rows, s.out, s.in}, Transpose::no, a.view().first(s.rows * s.in), Transpose::yes,
                 b.view().first(s.out * s.in), 0.0F, y.first(s.rows * s.out));
    return s.rows * s.out;
  });
  record("weight_gradient", [&](const ProductSize& s, std::span<float> dw) {
    compute.gemm({s.out, s.in, s.rows}, Transpose::yes, a.view().first(s.rows * s.out), Transpose::no,
                 b.view().first(s.rows * s.in), 0.0F, dw.first(s.out * s.in));
    return s.out * s.in;
  });
  record("input_gradient", [&](const ProductSize& s, std::span<float> dx) {
    compute.gemm({s.rows, s.in, s.out}, Transpose::no, a.view().first(s.rows * s.out), Transpose::no,
                 b.view().first(s.out * s.in), 0.0F, dx.first(s.rows * s.in));
    return s.rows * s.in;
  });
}

void probe_functions(Probe& probe) {
  constexpr float kMost = 12;
  const Buffer<float> x = some_numbers(2, kMost, kNumbers);
  Buffer<float> y(kNumbers);
  const auto record = [&](const char* name, void (*function)(std::span<const float>, std::span<float>)) {
    function(x.view(), y.view());
    probe[name] = hash_text(std::as_bytes(y.view()));
  };
  record("exp", vector_exp);
  record("tanh", vector_tanh);
  record("sigmoid", vector_sigmoid);
  record("gelu", vector_gelu);
  const Buffer<float> dy = some_numbers(3, 1, kNumbers);
  vector_gelu_slope(x.view(), dy.view(), y.view());
  probe["gelu_slope"] = hash_text(std::as_bytes(y.view()));

  std::vector<double> results;
  for (const float number : x.view()) {
    const double value = number;
    const double above = 1 + std::abs(value);
    results.insert(results.end(), {std::exp(value), std::log(above), std::log1p(above), std::pow(above, value),
                                   std::cos(value), std::sin(value), std::log1p(std::abs(number))});
  }
  probe["libm"] = hash_text(std::as_bytes(std::span(results)));
}

}  // namespace

Probe probe_kernels(const Compute& compute) {
  Probe probe;
  probe_products(compute, probe);
  probe_functions(probe);
  return probe;
}

std::vector<std::string> unlike_kernels(const Probe& a, const Probe& b) {
  std::vector<std::string> names;
  for (const auto& [name, hash] : a) {
    if (const auto other = b.find(name); other != b.end() && other->second != hash) names.push_back(name);
  }
  return names;
}

std::string probe_text(const Probe& probe) {
  std::string text;
  for (const auto& [name, hash] : probe) text += fmt::format("{} {}\n", name, hash);
  return text;
}

Probe parse_probe(const std::string& text) {
  Probe probe;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    if (const std::size_t gap = line.find(' '); gap != std::string::npos)
      probe[line.substr(0, gap)] = line.substr(gap + 1);
    begin = end + 1;
  }
  return probe;
}

std::string machine_code(const std::string& blas_kernel, const std::string& simd_target) {
  return fmt::format("{} kernels and {} vectors", blas_kernel, simd_target);
}

std::string unlike_ranks(std::span<const ProbedRank> ranks) {
  std::set<std::string> kernels;
  std::set<std::string> machines;
  std::vector<std::string> others;  // that compute unlike rank 0
  std::vector<std::string> hosts;
  for (std::size_t rank = 1; rank < ranks.size(); ++rank) {
    const std::vector<std::string> unlike = unlike_kernels(ranks[0].probe, ranks[rank].probe);
    if (unlike.empty()) continue;
    kernels.insert(unlike.begin(), unlike.end());
    machines.insert({ranks[0].machine, ranks[rank].machine});
    others.push_back(fmt::format("rank {} on {}", rank, ranks[rank].host));
  }
  if (others.empty()) return "";
  constexpr std::size_t kShown = 3;
  const std::size_t more = others.size() - std::min(others.size(), kShown);
  others.resize(others.size() - more);
  return fmt::format(
      "the ranks compute with unlike machine code ({}): {}{} get other bits than rank 0 on {} ({}), and the bits of "
      "the "
      "run depend on which rank does what; use hosts of one kind, with one C library, or set OPENBLAS_CORETYPE alike "
      "on all",
      fmt::join(machines, "; "), fmt::join(others, ", "), more > 0 ? fmt::format(" and {} more", more) : "",
      ranks[0].host, fmt::join(kernels, ", "));
}

}  // namespace lockstep
