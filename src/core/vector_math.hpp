// exp, tanh, sigmoid and gelu over arrays, by SIMD code chosen for the CPU at run time (Highway).
//
// A result depends on its own element alone, never on its place in the array or on the array's length. It does depend
// on the SIMD target in the last bits: targets with fused multiply-adds round differently from those without.
#pragma once

#include <span>
#include <string>

namespace lockstep {

// All: y[i] = f(x[i]). Shapes: x [n], y [n]; y may be x itself, but must not overlap it otherwise.
// NaN gives NaN. Errors: usage (sizes differ).

/// Relative error below 2e-7 for normal results; 0 below -104, infinity where float overflows.
void vector_exp(std::span<const float> x, std::span<float> y);
/// Relative error below 5e-7.
void vector_tanh(std::span<const float> x, std::span<float> y);
/// 1 / (1 + exp(-x)). Relative error below 4e-7 for normal results.
void vector_sigmoid(std::span<const float> x, std::span<float> y);
/// x Phi(x), Phi the normal distribution. Error below 5e-7 times max(1, |x|).
/// Source of erf: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 7.1.26.
void vector_gelu(std::span<const float> x, std::span<float> y);
/// dx[i] = dy[i] (Phi(x[i]) + x[i] phi(x[i])), phi the density. dx may be dy. Error of the slope below 1e-6.
void vector_gelu_slope(std::span<const float> x, std::span<const float> dy, std::span<float> dx);

/// The SIMD target in use, e.g. "AVX2".
[[nodiscard]] std::string simd_target();

}  // namespace lockstep
