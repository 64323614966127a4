// FOVEA_SIMD compiles a function for AVX-512, AVX2 and the baseline, and picks at run time: one plain source, vectorised by the
// compiler, or written with its vector extension (ops/kernels/lanes.hpp) where sums must stay in registers.
// What it calls must be inlined into it (FOVEA_INLINE), or the callee stays at the baseline.
// A processor takes one path only: builds with -DFOVEA_SIMD_PATH=avx512, avx2 or baseline have no other, so that tests reach those:
// AddressSanitizer's is one of the baseline; a program under ThreadSanitizer does not start where functions are picked at run time. `native`
// is the one of these that the processor takes which compiles: half the time for the kernels.
#pragma once

#if !defined(__x86_64__) || !defined(__GNUC__) || defined(__clang__) || defined(FOVEA_SIMD_BASELINE)
#define FOVEA_SIMD
#elif defined(FOVEA_SIMD_AVX512)
#define FOVEA_SIMD __attribute__((target("arch=x86-64-v4")))
#define FOVEA_SIMD_NEEDS "x86-64-v4"
#elif defined(FOVEA_SIMD_AVX2)
#define FOVEA_SIMD __attribute__((target("arch=x86-64-v3")))
#define FOVEA_SIMD_NEEDS "x86-64-v3"
#else
#define FOVEA_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif
#define FOVEA_INLINE inline __attribute__((always_inline))

namespace fovea {

// Whether this processor can run a build for one path only; others run everywhere.
inline bool simd_path_runs() {
#ifdef FOVEA_SIMD_NEEDS
  return __builtin_cpu_supports(FOVEA_SIMD_NEEDS);
#else
  return true;
#endif
}

}  // namespace fovea
