#include "modules/plan/kernels/axis_reduce.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "modules/core/threads.hpp"
#include "modules/plan/kernels/global_reduce.hpp"
#include "modules/plan/kernels/row_column_reduce.hpp"
#include "modules/plan/kernels/row_sums.hpp"

namespace fovea::plan {
namespace {

constexpr std::int64_t kRows = RowColumnReduce::kRows;  // of a part at least
constexpr std::int64_t kParts = 8;                      // of a sample at most: joining reads a row of each
constexpr std::int64_t kGroup = 65536;                  // elements that go through all reductions together
constexpr std::int64_t kStrip = 1024;                   // sums that stay in the first-level cache
constexpr std::int64_t kPiece = 512;                    // positions that are summed in f32 before they are added to an f64 sum
constexpr std::int64_t kThread = 16384;                 // elements that a further thread is worth

// The sums and maxima of n contiguous elements, over all parts of an axis.
struct Result {
  double total[kStrip];
  float max[kStrip];

  FOVEA_INLINE void begin(std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) total[i] = 0, max[i] = -std::numeric_limits<float>::infinity();
  }
  // To y; of two values the second lies `plane` elements after the first.
  FOVEA_INLINE void write(const role::ReducedAxis& axis, float* y, std::int64_t plane, std::int64_t n) const {
    float *mean = y + (axis.maximum && !axis.mean_first ? plane : 0), *maximum = y + (axis.mean_first ? plane : 0);
    const double scale = axis.scale;
    for (std::int64_t i = 0; i < n; ++i) mean[i] = static_cast<float>(total[i] * scale);
    for (std::int64_t i = 0; axis.maximum && i < n; ++i) maximum[i] = max[i];
  }
};

// Reduces the `width` positions of one row, for n of its `channels`.
template <bool maxima, class T>
FOVEA_SIMD void across(const role::ReducedAxis& axis, const T* x, std::int64_t width, std::int64_t channels, std::int64_t n,
                       float* y) {
  float sum[kStrip], best[kStrip];
  Result all;
  all.begin(n);
  for (std::int64_t first = 0; first < width; first += kPiece) {
    const std::int64_t rows = width < first + kPiece ? width - first : kPiece;
    row_sums::add_rows<maxima>(sum, best, x + first * channels, rows, channels, n, true);
    if (maxima) row_sums::find_nan(sum, best, x + first * channels, rows, channels, n);
    row_sums::fold(all.total, all.max, sum, maxima ? best : nullptr, n);
  }
  all.write(axis, y, channels, n);
}

FOVEA_SIMD void join_parts(const std::vector<role::ReducedAxis>& axes, const float* sum, std::int64_t parts, std::int64_t step,
                           std::int64_t row, std::int64_t n, float* const* y) {
  Result all;
  all.begin(n);
  for (std::int64_t k = 0; k < parts; ++k, sum += step)
    row_sums::fold(all.total, all.max, sum, step > row ? sum + row : nullptr, n);
  for (std::size_t k = 0; k < axes.size(); ++k)
    if (axes[k].axis == 2) all.write(axes[k], y[k], row, n);
}

}  // namespace

AxisReduceKernel::AxisReduceKernel(std::vector<role::ReducedAxis> axes, const Shape& x)
    : axes_(std::move(axes)), samples_(x[0]), channels_(x[1]), height_(x[2]), width_(x[3]), row_(width_ * channels_) {
  parts_ = std::clamp<std::int64_t>(height_ / kRows, 1, kParts);
  part_ = (height_ + parts_ - 1) / parts_;
  parts_ = (height_ + part_ - 1) / part_;
  for (const role::ReducedAxis& axis : axes_) down_ |= axis.axis == 2, maxima_ |= axis.axis == 2 && axis.maximum;
  const auto across = [](const role::ReducedAxis& axis) { return axis.axis == 3; };
  const auto first = std::find_if(axes_.begin(), axes_.end(), across);
  if (down_ && std::count_if(axes_.begin(), axes_.end(), across) == 1 && first->maximum == maxima_ &&
      RowColumnReduce::fits(width_, channels_))
    row_column_ = static_cast<std::size_t>(first - axes_.begin());
}

std::int64_t AxisReduceKernel::workspace() const { return down_ ? samples_ * parts_ * row_ * (maxima_ ? 2 : 1) : 0; }

template <class T>
void AxisReduceKernel::part(std::int64_t index, const T* x, float* const* out, float* sum, float* max) const {
  const std::int64_t sample = index / parts_, begin = index % parts_ * part_, end = std::min(height_, begin + part_);
  const std::int64_t group = row_column_ ? RowColumnReduce::kRows : std::max<std::int64_t>(1, kGroup / row_);
  for (std::int64_t first = begin; first < end; first += group) {
    const Rows rows{sample * height_ + first, std::min(group, end - first), first == begin};
    const T* from = x + rows.first * row_;
    if (row_column_) rows_and_columns(rows, from, out[*row_column_], sum, max);
    else if (down_) down(rows, from, sum, max);
    for (std::size_t k = 0; k < axes_.size(); ++k) {
      const role::ReducedAxis& axis = axes_[k];
      if (axis.axis == 1) channel_reduce(out[k] + 2 * rows.first * width_, from, rows.count * width_, channels_, axis.mean_first);
      for (std::int64_t r = 0; axis.axis == 3 && row_column_ != k && r < rows.count; ++r)
        along_row(axis, from + r * row_, out[k] + (rows.first + r) * channels_ * (axis.maximum ? 2 : 1));
    }
  }
}

template <class T>
void AxisReduceKernel::rows_and_columns(const Rows& rows, const T* x, float* y, float* sum, float* max) const {
  const role::ReducedAxis& axis = axes_[*row_column_];
  const std::int64_t stride = channels_ * (axis.maximum ? 2 : 1);
  y += rows.first * stride;
  row_column_reduce({.rows = rows.count,
                     .width = width_,
                     .channels = channels_,
                     .initialize = rows.initialize,
                     .down_sum = sum,
                     .down_max = max,
                     .scale = static_cast<float>(axis.scale),
                     .along_mean = y + (axis.maximum && !axis.mean_first ? channels_ : 0),
                     .along_max = axis.maximum ? y + (axis.mean_first ? channels_ : 0) : nullptr,
                     .row_stride = stride},
                    x);
}

template <class T>
void AxisReduceKernel::down(const Rows& rows, const T* x, float* sum, float* max) const {
  for (std::int64_t i = 0; i < row_; i += kStrip) {
    const std::int64_t n = std::min(kStrip, row_ - i);
    if (max) row_sums::reduce_rows<true>(sum + i, max + i, x + i, rows.count, row_, n, rows.initialize);
    else row_sums::reduce_rows<false>(sum + i, max, x + i, rows.count, row_, n, rows.initialize);
  }
}

template <class T>
void AxisReduceKernel::along_row(const role::ReducedAxis& axis, const T* x, float* y) const {
  for (std::int64_t from = 0; from < channels_; from += kStrip) {
    const std::int64_t n = std::min(kStrip, channels_ - from);
    if (axis.maximum) across<true>(axis, x + from, width_, channels_, n, y + from);
    else across<false>(axis, x + from, width_, channels_, n, y + from);
  }
}

void AxisReduceKernel::join(std::int64_t sample, std::int64_t from, const float* parts, float* const* out) const {
  const std::int64_t step = row_ * (maxima_ ? 2 : 1);
  std::array<float*, kMaxAxes> y{};
  for (std::size_t k = 0; k < axes_.size(); ++k)
    if (axes_[k].axis == 2) y[k] = out[k] + sample * row_ * (axes_[k].maximum ? 2 : 1) + from;
  join_parts(axes_, parts + sample * parts_ * step + from, parts_, step, row_, std::min(kStrip, row_ - from), y.data());
}

template <class T>
void AxisReduceKernel::run(const T* x, float* const* out, float* workspace) const {
  const std::int64_t step = row_ * (maxima_ ? 2 : 1);
  parallel_for(samples_ * parts_, std::max<std::int64_t>(1, kThread / (part_ * row_)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      part(i, x, out, workspace + i * step, maxima_ ? workspace + i * step + row_ : nullptr);
  });
  if (!down_) return;
  const std::int64_t strips = (row_ + kStrip - 1) / kStrip;
  parallel_for(samples_ * strips, std::max<std::int64_t>(1, kThread / (parts_ * kStrip)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) join(i / strips, i % strips * kStrip, workspace, out);
               });
}

template void AxisReduceKernel::run(const float*, float* const*, float*) const;
template void AxisReduceKernel::run(const bf16*, float* const*, float*) const;

}  // namespace fovea::plan
