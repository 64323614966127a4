// Convolution of up to 4 channels to one, as gates over positions have it (CBAM's 7x7 over maximum and mean): oneDNN spends as much on one
// output channel as on sixteen. Each channel is a plane of the input, which may be any strided view, so that a gate over other axes than
// rows and columns (triplet attention) needs no copy.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "modules/core/dnnl.hpp"
#include "modules/plan/strided_view.hpp"

namespace fovea::plan {

struct SingleOutputConv {
  // Of the result; with `transposed` rows and columns are exchanged: of x, of the kernel and of y.
  std::int64_t samples, channels, height, width, kernel_rows, kernel_columns;
  std::array<std::int64_t, 2> pad;        // before the first row and column
  std::array<std::int64_t, 4> strides{};  // of x, in elements: sample, channel, row, column
  std::int64_t offset = 0;                // of the first element of x
  bool transposed = false;

  // x: (N, C, H, W), w: (1, C, kh, kw). At most 4 channels, an output of the size of x, stride and dilation 1.
  static bool fits(const dnn::Conv& c, const Shape& x, const Shape& w);
  // `strides` of x, one for each axis. y is dense, (N, H, W), or (N, W, H) with `transposed`.
  SingleOutputConv(const dnn::Conv& c, const Shape& x, const Shape& w, const Shape& strides, std::int64_t offset,
                   bool transposed);
  std::int64_t workspace() const;        // elements
  Tensor weight(const Tensor& w) const;  // w as the kernel reads it: channel, column, row

  // Threads share the result in parts of bands x strips; a part's channels are copied to the workspace with padding around them.
  std::int64_t bands() const;   // of rows
  std::int64_t strips() const;  // of columns
  std::int64_t row() const;     // elements of a padded row of a part
  std::int64_t part() const;    // elements of the padded channels of a part
};

// y = bias + conv(x, w); w as `weight` gave it, bias may be null.
void single_output_conv(const SingleOutputConv& p, const float* x, const float* w, const float* bias, float* y, float* workspace);

}  // namespace fovea::plan
