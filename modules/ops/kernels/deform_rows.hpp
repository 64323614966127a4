// The passes of deformable convolution over one tile of output positions. Columns lie as [group][position][tap][channel of the group],
// so that every pass runs along channels, which channels-last maps keep together, and the tile is a matrix for the product
// with the weight.
#pragma once

#include <vector>

#include "modules/ops/kernels/deform_samples.hpp"

namespace fovea::kernels {

// Consecutive channels of one convolution group and one deformable group.
struct DeformRun {
  std::int64_t first, count;     // channels of the map
  std::int64_t group, position;  // convolution group and first channel within it
  std::int64_t deform;           // deformable group
};

inline std::vector<DeformRun> deform_runs(std::int64_t channels, std::int64_t groups, std::int64_t deform_groups,
                                          std::int64_t longest) {
  const std::int64_t a = channels / groups, b = channels / deform_groups;
  std::vector<DeformRun> runs;
  for (std::int64_t first = 0, next = 0; first < channels; first = next) {
    next = std::min({(first / a + 1) * a, (first / b + 1) * b, first + longest});
    runs.push_back({first, next - first, first / a, first % a, first / b});
  }
  return runs;
}

// Positions whose columns take a part of the second-level cache; independent of the thread count.
inline std::int64_t deform_tile(const DeformGeometry& g) {
  return std::clamp<std::int64_t>((std::int64_t{1} << 20) / (g.taps() * g.channels * 4), 128, 4096);
}
constexpr std::int64_t kDeformGrain = 16;  // positions: some 10 us of work

template <class C>
struct DeformTile {
  const DeformSample<C>* samples;
  std::int64_t positions, taps, per_position;  // per_position: samples of one position, over all deformable groups
  std::int64_t channels, channels_per_group;   // of the map
  std::int64_t column(const DeformRun& r, std::int64_t place, std::int64_t tap) const {
    return ((r.group * positions + place) * taps + tap) * channels_per_group + r.position;
  }
  std::int64_t sample(const DeformRun& r, std::int64_t place, std::int64_t tap) const {
    return place * per_position + r.deform * taps + tap;
  }
};

// column = mask * sum over the four pixels of weight * x.
template <class T, class C = compute_t<T>>
FOVEA_SIMD static void read_columns(T* columns, const T* x, const DeformTile<C>& t, const DeformRun& r, std::int64_t begin,
                                    std::int64_t end) {
  for (std::int64_t p = begin; p < end; ++p)
    for (std::int64_t k = 0; k < t.taps; ++k) {
      const DeformSample<C>& s = t.samples[t.sample(r, p, k)];
      T* out = columns + t.column(r, p, k);
      if (s.corner[0] < 0) {
        for (std::int64_t c = 0; c < r.count; ++c) out[c] = T(0.0f);
        continue;
      }
      const T *a = x + s.corner[0] * t.channels + r.first, *b = x + s.corner[1] * t.channels + r.first,
              *d = x + s.corner[2] * t.channels + r.first, *e = x + s.corner[3] * t.channels + r.first;
      const C wa = s.mask * s.weight[0], wb = s.mask * s.weight[1], wd = s.mask * s.weight[2], we = s.mask * s.weight[3];
      for (std::int64_t c = 0; c < r.count; ++c)
        out[c] = static_cast<T>(wa * static_cast<C>(a[c]) + wb * static_cast<C>(b[c]) + wd * static_cast<C>(d[c]) +
                                we * static_cast<C>(e[c]));
    }
}

// dots[sample][i] += sum over the run's channels of the column's gradient times pixel i.
template <class T, class C = compute_t<T>>
FOVEA_SIMD static void add_dots(C* dots, const C* gradient, const T* x, const DeformTile<C>& t, const DeformRun& r,
                                std::int64_t begin, std::int64_t end) {
  for (std::int64_t p = begin; p < end; ++p)
    for (std::int64_t k = 0; k < t.taps; ++k) {
      const std::int64_t at = t.sample(r, p, k);
      const DeformSample<C>& s = t.samples[at];
      if (s.corner[0] < 0) continue;
      const C* g = gradient + t.column(r, p, k);
      const T *a = x + s.corner[0] * t.channels + r.first, *b = x + s.corner[1] * t.channels + r.first,
              *d = x + s.corner[2] * t.channels + r.first, *e = x + s.corner[3] * t.channels + r.first;
      C sa = 0, sb = 0, sd = 0, se = 0;
#pragma omp simd reduction(+ : sa, sb, sd, se)
      for (std::int64_t c = 0; c < r.count; ++c) {
        sa += g[c] * static_cast<C>(a[c]), sb += g[c] * static_cast<C>(b[c]);
        sd += g[c] * static_cast<C>(d[c]), se += g[c] * static_cast<C>(e[c]);
      }
      dots[4 * at] += sa, dots[4 * at + 1] += sb, dots[4 * at + 2] += sd, dots[4 * at + 3] += se;
    }
}

// Gradients of the samples [begin, end) from their dots; either may be null.
template <class T, class C = compute_t<T>>
void sample_gradients(T* offset, T* mask, const C* dots, const DeformSample<C>* samples, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) {
    C dy = 0, dx = 0, dm = 0;
    if (samples[i].corner[0] >= 0)
      for (int j = 0; j < 4; ++j) {
        dy += samples[i].mask * samples[i].dy[j] * dots[4 * i + j];
        dx += samples[i].mask * samples[i].dx[j] * dots[4 * i + j];
        dm += samples[i].weight[j] * dots[4 * i + j];
      }
    if (offset) offset[2 * i] = static_cast<T>(dy), offset[2 * i + 1] = static_cast<T>(dx);
    if (mask) mask[i] = static_cast<T>(dm);
  }
}

// Adds the columns' gradients to the pixels that were read, position after position: a thread that owns a run of channels sums in the
// same order whatever the number of threads.
template <class C>
FOVEA_SIMD static void scatter_columns(C* map, const C* gradient, const DeformTile<C>& t, const DeformRun& r) {
  for (std::int64_t p = 0; p < t.positions; ++p)
    for (std::int64_t k = 0; k < t.taps; ++k) {
      const DeformSample<C>& s = t.samples[t.sample(r, p, k)];
      if (s.corner[0] < 0) continue;
      const C* g = gradient + t.column(r, p, k);
      for (int i = 0; i < 4; ++i) {
        const C w = s.mask * s.weight[i];
        if (w == 0) continue;
        C* to = map + s.corner[i] * t.channels + r.first;
        for (std::int64_t c = 0; c < r.count; ++c) to[c] += w * g[c];
      }
    }
}

}  // namespace fovea::kernels
