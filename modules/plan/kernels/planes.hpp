// Convolution of a few planes to one, as the gates for places have it (CBAM's 7x7 over maximum and mean). oneDNN computes one output
// channel like sixteen: 7x7, 2 -> 1 at 56x56 takes it 73 us (AVX-512, one thread), this kernel 12.
#pragma once

#include <array>
#include <cstdint>

#include "modules/core/dnnl.hpp"

namespace fovea::plan {

struct Planes {
  std::int64_t samples, planes, height, width, kernel_rows, kernel_columns;
  std::array<std::int64_t, 2> pad;  // in front: rows, columns
  std::int64_t out_height, out_width;

  // Whether this kernel computes such a convolution: at most 4 planes to one, stride and dilation 1.
  static bool fits(const dnn::Conv& c, const Shape& x, const Shape& w);
  Planes(const dnn::Conv& c, const Shape& x, const Shape& w, const Shape& y);
  std::int64_t row() const;        // elements of a padded row
  std::int64_t workspace() const;  // elements
};

// y = bias + sum w x. x: channels-last; w: planes x rows x columns; bias may be null.
void convolve_planes(const Planes& p, const float* x, const float* w, const float* bias, float* y, float* workspace);

}  // namespace fovea::plan
