// How an element-wise loop is compiled for the CPUs it may meet.
#pragma once

// Compiles a function for wider vectors too; the CPU chooses at load time. The bits are the same on every CPU: each
// operation is rounded by itself (contraction is off), and square root and division are exact to the last bit on every
// instruction set. ThreadSanitizer cannot start with such functions.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_THREAD__)
#define LOCKSTEP_VECTOR_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define LOCKSTEP_VECTOR_CLONES
#endif
