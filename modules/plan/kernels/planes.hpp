// Convolution of a few planes to one, as the gates for positions have it (CBAM's 7x7 over maximum and mean). oneDNN computes one output
// channel like sixteen. The planes are read where they lie, so that a gate over other axes than rows and columns (triplet attention)
// needs no copy.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "modules/core/dnnl.hpp"
#include "modules/plan/strided.hpp"

namespace fovea::plan {

struct Planes {
  std::int64_t samples, planes, height, width, kernel_rows, kernel_columns;
  std::array<std::int64_t, 2> pad;      // in front: rows, columns
  std::array<std::int64_t, 4> steps{};  // of x, in elements: sample, plane, row, column
  std::int64_t from = 0;                // the first element of x
  bool turned = false;                  // rows and columns have changed positions: of x, of the kernel, of the result

  // Whether this kernel computes such a convolution: at most 4 planes to one of the same size, stride and dilation 1.
  static bool fits(const dnn::Conv& c, const Shape& x, const Shape& w);
  // x lies at `steps`, from an element on; y is dense: `turned`, column by column.
  Planes(const dnn::Conv& c, const Shape& x, const Shape& w, const Shape& steps, std::int64_t from, bool turned);
  std::int64_t workspace() const;  // elements
  // The weight as the kernel takes it: plane, column, row.
  Tensor weight(const Tensor& w) const;

  // The result in parts that threads share: bands of rows, strips of columns.
  std::int64_t bands() const;
  std::int64_t strips() const;
  std::int64_t row() const;   // elements of a padded row of a part
  std::int64_t part() const;  // elements of a part's padded planes
};

// y = bias + sum w x; w as `weight` gave it, bias may be null.
void convolve_planes(const Planes& p, const float* x, const float* w, const float* bias, float* y, float* workspace);

}  // namespace fovea::plan
