// The compute seam: what layers ask for that is worth a library. Between core and layers; knows no nets.
//
// A net has one object of it (Model::compute), and so each may compute on threads of its own. Equal objects and equal
// shapes give equal bits on one CPU; that is what the bits of a run rest on, so shapes must never depend on the rank
// count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

enum class Transpose { no, yes };

struct GemmShape {
  std::size_t m = 0;
  std::size_t n = 0;
  std::size_t k = 0;
  std::size_t a_stride = 0;  ///< from one stored row of A to the next, where A is a part of wider rows; 0: packed
};

/// Threading: const functions of one object may be called by one thread at a time, as those of all objects of a
/// process.
class Compute {
 public:
  virtual ~Compute() = default;

  /// What computes, as a checkpoint names it: "openblas".
  [[nodiscard]] virtual std::string_view backend() const noexcept = 0;
  [[nodiscard]] virtual std::int64_t threads() const noexcept = 0;

  // A library is loaded by the first call of any of these. Errors of all: io (it cannot be, or finds no memory).

  /// Has it loaded now, where a failure can be met together.
  virtual void prepare() const = 0;
  /// What was chosen for this CPU, e.g. "Haswell".
  [[nodiscard]] virtual std::string kernel() const = 0;
  /// Name and version of the library.
  [[nodiscard]] virtual std::string version() const = 0;

  /// C = op(A) op(B) + beta C, row-major, densely packed. With beta = 0 what C held is not read.
  /// Shapes: op(A) [m,k], op(B) [k,n], C [m,n]. m, n and k fit an int; any may be 0.
  /// Errors: usage (a span does not have the size its shape says).
  virtual void gemm(const GemmShape& shape, Transpose trans_a, std::span<const float> a, Transpose trans_b,
                    std::span<const float> b, float beta, std::span<float> c) const = 0;
};

struct ComputeOptions {
  std::int64_t threads = 1;  ///< of each product; another count gives other bits
};

/// Loads nothing yet. Errors: config (no threads, or more than an int holds).
[[nodiscard]] std::shared_ptr<const Compute> make_compute(const ComputeOptions& options = {});

}  // namespace lockstep
