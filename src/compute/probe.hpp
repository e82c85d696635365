// What a process computes, to the bit: hashes of its kernels on fixed numbers. Unlike CPUs, libraries and settings are
// seen by what they compute, and not by their names.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "compute/compute.hpp"

namespace lockstep {

/// Kernel -> 16 hex digits, the XXH3-64 of its results. A name stands for its numbers too: other numbers are another
/// name.
using Probe = std::map<std::string, std::string>;

/// Products as a dense layer makes them, of shapes that libraries treat unlike (`forward`, `weight_gradient`,
/// `input_gradient`), on the threads of `compute`; the functions of vector_math.hpp; `libm`, the functions of the C
/// library that losses, optimizers and schedules call. Takes about a millisecond. Errors: io (as Compute::prepare).
[[nodiscard]] Probe probe_kernels(const Compute& compute);

/// The kernels that both know and that compute unlike, ascending.
[[nodiscard]] std::vector<std::string> unlike_kernels(const Probe& a, const Probe& b);

/// A line "KERNEL HASH" each.
[[nodiscard]] std::string probe_text(const Probe& probe);
/// Back again; lines of another form are left out.
[[nodiscard]] Probe parse_probe(const std::string& text);

/// In words: "Haswell kernels and AVX2 vectors".
[[nodiscard]] std::string machine_code(const std::string& blas_kernel, const std::string& simd_target);

/// A rank, and what it computes with.
struct ProbedRank {
  std::string host;
  std::string machine;  ///< see machine_code
  Probe probe;
};

/// What to warn of where ranks compute unlike, with their hosts, kernels and what there is to do; empty where they
/// agree.
[[nodiscard]] std::string unlike_ranks(std::span<const ProbedRank> ranks);

}  // namespace lockstep
