// Products of small matrices that stay in the cache, for kernels that work in tiles: c (+)= a b.
// a is m x k with any strides; b lies in panels of kPanel columns, panel p holding b[i][32 p .. 32 p + 31] at (p k + i) 32;
// c is m x n, dense rows ldc apart. m must be a multiple of kTileRows and n of kPanel: callers pad, which costs less than edges.
// A block of c stays in registers while k runs: 12 x 32 with AVX-512, 6 x 16 with AVX2's sixteen registers.
#pragma once

#include <cstdint>

#include "modules/core/simd.hpp"

namespace fovea::kernels {

constexpr std::int64_t kTileRows = 12, kPanel = 32;

inline std::int64_t round_up(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }

template <class T>
struct Lanes {
  typedef T type __attribute__((vector_size(64), aligned(sizeof(T)), may_alias));
  static constexpr int count = 64 / sizeof(T);
};

template <class T, int rows, int vectors>
FOVEA_INLINE void tile_block(T* c, std::int64_t ldc, const T* a, std::int64_t row, std::int64_t column, const T* b,
                             std::int64_t k, bool add) {
  using V = typename Lanes<T>::type;
  V sum[rows][vectors];
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) sum[r][v] = V{} + T(0);
  for (std::int64_t i = 0; i < k; ++i, a += column, b += kPanel) {
    V right[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) right[v] = *reinterpret_cast<const V*>(b + v * Lanes<T>::count);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) sum[r][v] += a[r * row] * right[v];
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      V* to = reinterpret_cast<V*>(c + r * ldc + v * Lanes<T>::count);
      *to = add ? *to + sum[r][v] : sum[r][v];
    }
}

template <class T, int rows, int vectors>
FOVEA_SIMD void tile_blocks(T* c, std::int64_t ldc, const T* a, std::int64_t row, std::int64_t column, const T* b, std::int64_t m,
                            std::int64_t n, std::int64_t k, bool add) {
  constexpr std::int64_t width = vectors * Lanes<T>::count;
  for (std::int64_t j = 0; j < n; j += width)
    for (std::int64_t i = 0; i < m; i += rows)
      tile_block<T, rows, vectors>(c + i * ldc + j, ldc, a + i * row, row, column, b + j / kPanel * kPanel * k + j % kPanel, k,
                                   add);
}

// Of what FOVEA_SIMD functions run on here.
inline bool wide_registers() {
#if defined(__x86_64__) && !defined(FOVEA_SIMD_AVX2) && !defined(FOVEA_SIMD_BASELINE)
  static const bool wide = __builtin_cpu_supports("x86-64-v4");
  return wide;
#else
  return false;
#endif
}

template <class T>
void tile_product(T* c, std::int64_t ldc, const T* a, std::int64_t row, std::int64_t column, const T* b, std::int64_t m,
                  std::int64_t n, std::int64_t k, bool add) {
  if (wide_registers()) tile_blocks<T, 12, 2>(c, ldc, a, row, column, b, m, n, k, add);
  else tile_blocks<T, 6, 1>(c, ldc, a, row, column, b, m, n, k, add);
}

}  // namespace fovea::kernels
