// FOVEA_SIMD compiles a function for AVX-512, AVX2 and the baseline, and picks at run time.
// What it calls must be inlined into it (FOVEA_INLINE), or the callee stays at the baseline.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOVEA_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOVEA_SIMD
#endif
#define FOVEA_INLINE inline __attribute__((always_inline))
