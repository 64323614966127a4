#include "modules/plan/kernels/single_output_conv.hpp"

#include <algorithm>
#include <utility>

#include "modules/core/threads.hpp"
#include "modules/ops/kernels/lanes.hpp"

namespace fovea::plan {
namespace {

using L = kernels::Lanes16;
constexpr std::int64_t kRows = 4, kVectors = 2;  // of the result, whose sums stay in registers
constexpr std::int64_t kBand = 16, kStrip = 256;
constexpr std::int64_t kGrain = 1 << 20;  // multiply-adds that a further thread is worth

struct Part {
  std::int64_t row, rows;                       // elements of a padded row, padded rows of a channel
  std::int64_t channels, kernel_rows, columns;  // of the kernel
};

// kRows rows of kVectors vectors of the result. Each value of x is loaded once for all the rows that it contributes to; results beyond the
// end of a part are computed on padding and dropped. K: rows of the kernel, 0 for any number.
template <int K>
FOVEA_INLINE void results(const Part& p, const float* x, const float* w, float bias, float (&out)[kRows][kVectors * L::count]) {
  const std::int64_t kernel_rows = K ? K : p.kernel_rows;
  L::Floats sum[kRows][kVectors], v[kVectors];
  for (auto& row : sum)
    for (L::Floats& s : row) s = L::Floats{} + bias;
  for (std::int64_t k = 0; k < p.channels; ++k)
    for (std::int64_t j = 0; j < p.columns; ++j, w += kernel_rows) {
      const float* from = x + k * p.rows * p.row + j;
#pragma GCC unroll 16
      for (std::int64_t i = 0; i < kernel_rows + kRows - 1; ++i) {
#pragma GCC unroll 2
        for (int m = 0; m < kVectors; ++m) L::load(v[m], from + i * p.row + m * L::count);
#pragma GCC unroll 4
        for (std::int64_t r = 0; r < kRows; ++r) {
          if (i < r || i - r >= kernel_rows) continue;
#pragma GCC unroll 2
          for (int m = 0; m < kVectors; ++m) sum[r][m] += v[m] * w[i - r];
        }
      }
    }
  for (std::int64_t r = 0; r < kRows; ++r)
    for (int m = 0; m < kVectors; ++m) L::store(out[r] + m * L::count, sum[r][m]);
}

struct OutputPart {
  std::int64_t rows, columns, row_stride;
};

template <int K>
FOVEA_INLINE void part_of(const Part& p, const float* padded, const float* w, float bias, float* y, const OutputPart& size) {
  float out[kRows][kVectors * L::count];
  for (std::int64_t r = 0; r < size.rows; r += kRows)
    for (std::int64_t c = 0; c < size.columns; c += kVectors * L::count) {
      results<K>(p, padded + r * p.row + c, w, bias, out);
      const std::int64_t columns = std::min<std::int64_t>(kVectors * L::count, size.columns - c);
      for (std::int64_t k = 0; k < std::min(kRows, size.rows - r); ++k)
        std::copy_n(out[k], columns, y + (r + k) * size.row_stride + c);
    }
}

FOVEA_SIMD void compute(const Part& p, const float* padded, const float* w, float bias, float* y, const OutputPart& size) {
  if (p.kernel_rows == 7) part_of<7>(p, padded, w, bias, y, size);
  else if (p.kernel_rows == 3) part_of<3>(p, padded, w, bias, y, size);
  else part_of<0>(p, padded, w, bias, y, size);
}

// Copies the input of a part of the result that begins at (row, column), with zero padding.
void copy_padded(const SingleOutputConv& p, const float* x, std::int64_t row, std::int64_t column, float* padded) {
  const std::int64_t rows = kBand + p.kernel_rows - 1, width = p.row(), first = column - p.pad[1];
  const std::int64_t begin = std::max<std::int64_t>(0, first), end = std::min(p.width, first + width);
  for (std::int64_t k = 0; k < p.channels; ++k)
    for (std::int64_t r = 0; r < rows; ++r, padded += width) {
      const std::int64_t at = row + r - p.pad[0];
      if (at < 0 || at >= p.height || begin >= end) {
        std::fill_n(padded, width, 0.0f);
        continue;
      }
      std::fill_n(padded, begin - first, 0.0f);
      std::fill(padded + (end - first), padded + width, 0.0f);
      const float* from = x + k * p.strides[1] + at * p.strides[2];
      if (p.strides[3] == 1) std::copy(from + begin, from + end, padded + (begin - first));
      else
        for (std::int64_t i = begin; i < end; ++i) padded[i - first] = from[i * p.strides[3]];
    }
}

std::int64_t parts(std::int64_t size, std::int64_t part) { return (size + part - 1) / part; }

}  // namespace

bool SingleOutputConv::fits(const dnn::Conv& c, const Shape& x, const Shape& w) {
  const bool same = c.pad_begin[0] + c.pad_end[0] == w[2] - 1 && c.pad_begin[1] + c.pad_end[1] == w[3] - 1;
  return !c.transposed && c.groups == 1 && w[0] == 1 && x[1] <= 4 && same && c.stride == std::array<std::int64_t, 2>{1, 1} &&
         c.dilation == std::array<std::int64_t, 2>{1, 1};
}

SingleOutputConv::SingleOutputConv(const dnn::Conv& c, const Shape& x, const Shape& w, const Shape& of_x, std::int64_t first,
                                   bool swap_axes)
    : samples(x[0]),
      channels(x[1]),
      height(x[2]),
      width(x[3]),
      kernel_rows(w[2]),
      kernel_columns(w[3]),
      pad(c.pad_begin),
      strides{of_x[0], of_x[1], of_x[2], of_x[3]},
      offset(first),
      transposed(swap_axes) {
  if (!transposed) return;
  std::swap(height, width), std::swap(kernel_rows, kernel_columns);
  std::swap(pad[0], pad[1]), std::swap(strides[2], strides[3]);
}

std::int64_t SingleOutputConv::bands() const { return parts(height, kBand); }
std::int64_t SingleOutputConv::strips() const { return parts(width, kStrip); }
std::int64_t SingleOutputConv::row() const {
  return parts(std::min(width, kStrip), kVectors * L::count) * kVectors * L::count + kernel_columns;
}
std::int64_t SingleOutputConv::part() const { return channels * (kBand + kernel_rows - 1) * row(); }
std::int64_t SingleOutputConv::workspace() const { return samples * bands() * strips() * part(); }

Tensor SingleOutputConv::weight(const Tensor& w) const {
  const Tensor dense = w.to(DType::f32).contiguous(Layout::row_major);
  return dense.permute(transposed ? Shape{0, 1, 2, 3} : Shape{0, 1, 3, 2}).contiguous(Layout::row_major);
}

void single_output_conv(const SingleOutputConv& p, const float* x, const float* w, const float* bias, float* y,
                        float* workspace) {
  const Part part{p.row(), kBand + p.kernel_rows - 1, p.channels, p.kernel_rows, p.kernel_columns};
  const std::int64_t bands = p.bands(), strips = p.strips();
  const std::int64_t work = kBand * std::min(p.width, kStrip) * p.channels * p.kernel_rows * p.kernel_columns;
  parallel_for(p.samples * bands * strips, std::max<std::int64_t>(1, kGrain / work), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t job = begin; job < end; ++job) {
      const std::int64_t sample = job / (bands * strips), row = job / strips % bands * kBand, column = job % strips * kStrip;
      float* padded = workspace + job * p.part();
      copy_padded(p, x + p.offset + sample * p.strides[0], row, column, padded);
      compute(part, padded, w, bias ? *bias : 0.0f, y + (sample * p.height + row) * p.width + column,
              {std::min(kBand, p.height - row), std::min(kStrip, p.width - column), p.width});
    }
  });
}

}  // namespace fovea::plan
