// A few floats side by side, for kernels that must keep their sums in registers. Written with the compilers' vector extension, so
// that a FOVEA_SIMD function uses the widest registers there are. A macro: compilers refuse these types where the count is a
// template's parameter.
#pragma once

#include <cstdint>

#include "modules/core/dtype.hpp"
#include "modules/core/simd.hpp"

// FOVEA_SIMD for functions that are written for one number of registers, and run only where wide_registers() (tile_product.hpp) says that
// there are so many: the paths that never run need not be compiled.
#if !defined(__x86_64__) || !defined(__GNUC__) || defined(__clang__) || defined(FOVEA_SIMD_BASELINE) || defined(FOVEA_SIMD_NEEDS)
#define FOVEA_SIMD_WIDE FOVEA_SIMD
#define FOVEA_SIMD_NARROW FOVEA_SIMD
#else
#define FOVEA_SIMD_WIDE __attribute__((target("arch=x86-64-v4")))
#define FOVEA_SIMD_NARROW __attribute__((target_clones("arch=x86-64-v3", "default")))
#endif

namespace fovea::kernels {

// bf16 is stored rounded to nearest even, as its constructor does.
#define FOVEA_LANES(Name, N)                                                                         \
  struct Name {                                                                                      \
    static constexpr int count = N;                                                                  \
    using Floats = float __attribute__((vector_size(N * 4)));                                        \
    using Words = std::uint32_t __attribute__((vector_size(N * 4)));                                 \
    using Halves = std::uint16_t __attribute__((vector_size(N * 2)));                                \
    static FOVEA_INLINE void load(Floats& v, const float* p) { __builtin_memcpy(&v, p, sizeof v); }  \
    static FOVEA_INLINE void store(float* p, const Floats& v) { __builtin_memcpy(p, &v, sizeof v); } \
    static FOVEA_INLINE void load(Floats& v, const bf16* p) {                                        \
      Halves h;                                                                                      \
      __builtin_memcpy(&h, p, sizeof h);                                                             \
      const Words wide = __builtin_convertvector(h, Words) << 16;                                    \
      __builtin_memcpy(&v, &wide, sizeof v);                                                         \
    }                                                                                                \
    static FOVEA_INLINE void store(bf16* p, const Floats& v) {                                       \
      Words u;                                                                                       \
      __builtin_memcpy(&u, &v, sizeof u);                                                            \
      const Words rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16, quiet = (u >> 16) | 0x40u;       \
      const Words chosen = (u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded;                        \
      const Halves h = __builtin_convertvector(chosen, Halves);                                      \
      __builtin_memcpy(static_cast<void*>(p), &h, sizeof h);                                         \
    }                                                                                                \
  };
FOVEA_LANES(Lanes16, 16)
FOVEA_LANES(Lanes8, 8)
FOVEA_LANES(Lanes4, 4)
#undef FOVEA_LANES

struct Lanes1 {
  static constexpr int count = 1;
  using Floats = float;
  static FOVEA_INLINE void load(float& v, const float* p) { v = *p; }
  static FOVEA_INLINE void load(float& v, const bf16* p) { v = static_cast<float>(*p); }
  static FOVEA_INLINE void store(float* p, float v) { *p = v; }
  static FOVEA_INLINE void store(bf16* p, float v) { *p = v; }
};

}  // namespace fovea::kernels
