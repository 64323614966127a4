// Where a deformable convolution reads: for each output position, deformable group and tap the four pixels, their weights, and
// how the weights change with the position. Worked out once per tile, used by every pass over it.
#pragma once

#include <algorithm>
#include <cmath>

#include "modules/core/simd.hpp"
#include "modules/ops/deform_conv2d.hpp"

namespace fovea::kernels {

// Two neighbours along one axis.
template <class C>
struct DeformAxis {
  std::int64_t index[2];
  C weight[2], slope[2];
};

// The position is base + offset. Its fraction is taken from the offset alone, which is exact. False where nothing is read.
template <class C>
FOVEA_INLINE bool deform_axis(std::int64_t base, C offset, std::int64_t size, DeformBorder border, DeformAxis<C>& a) {
  constexpr C kFar = 1e9;
  if (!(offset > -kFar && offset < kFar)) {
    a = {{0, 0}, {offset, offset}, {offset, offset}};
    return offset != offset;
  }
  const C low = std::floor(offset), f = offset - low;
  const std::int64_t i = base + static_cast<std::int64_t>(low);
  if (i >= size || i < (border == DeformBorder::zero ? -1 : 0)) return false;
  if (i == -1) a = {{0, 0}, {0, f}, {0, 1}};
  else if (i < size - 1) a = {{i, i + 1}, {1 - f, f}, {-1, 1}};
  else if (border == DeformBorder::zero) a = {{i, i}, {1 - f, 0}, {-1, 0}};
  else a = {{i, i}, {1, 0}, {0, 0}};
  return true;
}

template <class C>
struct DeformSample {
  std::int64_t corner[4];  // pixel numbers, the sample's image included; corner[0] < 0: nothing is read
  C weight[4], dy[4], dx[4];
  C mask;
};

struct DeformGeometry {
  DeformOptions o;
  std::int64_t height = 0, width = 0, channels = 0, out_height = 0, out_width = 0, kernel_height = 0, kernel_width = 0;
  std::int64_t taps() const { return kernel_height * kernel_width; }
  std::int64_t samples() const { return o.deform_groups * taps(); }  // per output position
};

// Samples of the output positions [begin, end), counted over (image, row, column). offset and mask are their dense rows.
template <class T, class C = compute_t<T>>
void deform_samples(const DeformGeometry& g, const T* offset, const T* mask, std::int64_t begin, std::int64_t end,
                    DeformSample<C>* out) {
  for (std::int64_t p = begin; p < end; ++p) {
    const std::int64_t ox = p % g.out_width, oy = p / g.out_width % g.out_height, n = p / (g.out_width * g.out_height);
    for (std::int64_t s = 0; s < g.samples(); ++s, ++out) {
      const std::int64_t k = s % g.taps();
      const std::int64_t y = oy * g.o.stride[0] - g.o.pad[0] + k / g.kernel_width * g.o.dilation[0];
      const std::int64_t x = ox * g.o.stride[1] - g.o.pad[1] + k % g.kernel_width * g.o.dilation[1];
      const T* at = offset + (p * g.samples() + s) * 2;
      DeformAxis<C> rows, columns;
      out->mask = mask ? static_cast<C>(mask[p * g.samples() + s]) : C(1);
      out->corner[0] = -1;
      if (!deform_axis(y, static_cast<C>(at[0]), g.height, g.o.border, rows)) continue;
      if (!deform_axis(x, static_cast<C>(at[1]), g.width, g.o.border, columns)) continue;
      for (int i = 0; i < 4; ++i) {
        const int r = i / 2, c = i % 2;
        out->corner[i] = (n * g.height + rows.index[r]) * g.width + columns.index[c];
        out->weight[i] = rows.weight[r] * columns.weight[c];
        out->dy[i] = rows.slope[r] * columns.weight[c];
        out->dx[i] = rows.weight[r] * columns.slope[c];
      }
    }
  }
}

}  // namespace fovea::kernels
