// random_words for many blocks at a time, by SIMD code chosen for the CPU at run time (Highway).
// The same words as core/random.hpp gives, to the bit, on every SIMD target: they are integers.
#pragma once

#include <cstdint>
#include <span>

#include "core/random.hpp"

namespace lockstep {

/// Fills `out` with words of the key's stream from block `first_block` on: out[i] is word i%4 of block first_block+i/4.
void vector_random_words(const RandomKey& key, std::uint32_t first_block, std::span<std::uint32_t> out);

}  // namespace lockstep
