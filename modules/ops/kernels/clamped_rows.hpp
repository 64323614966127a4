// The kernels of a norm whose result is clamped (channel_rows.hpp has those of a plain one): an activation that costs no pass of its
// own. Where the clamp holds is found again from the input: (x - mean) * scale + shift strictly between low and high.
// What is written overlaps nothing that is read (__restrict): so many pointers are more than the compiler tells apart at run time, and
// it would leave these loops scalar, with a branch for every value.
#pragma once

#include "modules/ops/kernels/channel_rows.hpp"

namespace fovea::kernels {

// Per channel, except the bounds.
template <class C>
struct ClampedNorm {
  const C *mean, *scale, *shift;
  C low, high;

  FOVEA_INLINE C before(C x, std::int64_t c) const { return (x - mean[c]) * scale[c] + shift[c]; }
  // NaN passes.
  FOVEA_INLINE C clamp(C v) const { return v < low ? low : (v > high ? high : v); }
  FOVEA_INLINE C gradient(C dy, C v) const { return (v > low) & (v < high) ? dy : C(0); }
};

template <class T, class C = compute_t<T>>
FOVEA_SIMD static void clamp_normalised(T* __restrict y, const T* x, const ClampedNorm<C>& norm, std::int64_t rows,
                                        std::int64_t channels) {
  const ClampedNorm<C> n = norm;
  for (std::int64_t r = 0; r < rows; ++r, y += channels, x += channels)
    for (std::int64_t c = 0; c < channels; ++c) y[c] = static_cast<T>(n.clamp(n.before(static_cast<C>(x[c]), c)));
}

// Sums of the gradient in front of the clamp, and of it times (x - mean).
template <class T, class C = compute_t<T>>
FOVEA_SIMD static void add_clamped_gradients(C* __restrict plain, C* __restrict moved, const T* dy, const T* x,
                                             const ClampedNorm<C>& norm, std::int64_t rows, std::int64_t channels) {
  const ClampedNorm<C> n = norm;
  for (std::int64_t r = 0; r < rows; ++r, dy += channels, x += channels)
    for (std::int64_t c = 0; c < channels; ++c) {
      const C g = n.gradient(static_cast<C>(dy[c]), n.before(static_cast<C>(x[c]), c));
      plain[c] += g;
      moved[c] += g * (static_cast<C>(x[c]) - n.mean[c]);
    }
}

// dx = scale * g + b * (x - mean) + d with g the gradient in front of the clamp.
template <class T, class C = compute_t<T>>
FOVEA_SIMD static void clamped_back(T* __restrict dx, const T* dy, const T* x, const ClampedNorm<C>& norm, const C* b, const C* d,
                                    std::int64_t rows, std::int64_t channels) {
  const ClampedNorm<C> n = norm;
  for (std::int64_t r = 0; r < rows; ++r, dx += channels, dy += channels, x += channels)
    for (std::int64_t c = 0; c < channels; ++c) {
      const C centred = static_cast<C>(x[c]) - n.mean[c];
      dx[c] = static_cast<T>(n.scale[c] * n.gradient(static_cast<C>(dy[c]), centred * n.scale[c] + n.shift[c]) + b[c] * centred +
                             d[c]);
    }
}

}  // namespace fovea::kernels
