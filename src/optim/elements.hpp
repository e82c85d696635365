// What the optimizers share: checked coefficients, and how an element-wise loop is compiled.
//
// The loops have no branches and the same bits on every CPU: each operation is rounded by itself (contraction is off),
// and square root and division are exact to the last bit on every instruction set.
#pragma once

#include <span>
#include <string_view>

#include "lockstep/options.hpp"

// Compiles a function for wider vectors too; the CPU chooses at load time. ThreadSanitizer cannot start with such
// functions.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_THREAD__)
#define LOCKSTEP_VECTOR_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define LOCKSTEP_VECTOR_CLONES
#endif

namespace lockstep {

/// A finite number of at least 0. Errors: config, naming the key.
[[nodiscard]] double non_negative(const Options& options, std::string_view key, double fallback);

/// A number in [0, 1). Errors: config, naming the key.
[[nodiscard]] double below_one(const Options& options, std::string_view key, double fallback);

/// Errors: usage, unless gradient and all `num_slots` slots are as long as the weights.
void check_update(std::span<const float> weights, std::span<const float> gradient,
                  std::span<const std::span<float>> slots, std::size_t num_slots);

}  // namespace lockstep
