#include "modules/plan/kernels/lines.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "modules/core/threads.hpp"
#include "modules/plan/kernels/crossed.hpp"
#include "modules/plan/kernels/running.hpp"
#include "modules/plan/kernels/statistics.hpp"

namespace fovea::plan {
namespace {

constexpr std::int64_t kRows = Crossed::kRows,
                       kParts = 8;       // of a part at least, of a sample at most: joining reads a row of each
constexpr std::int64_t kGroup = 65536;   // elements that go through all statistics together
constexpr std::int64_t kStrip = 1024;    // sums that stay in the first cache
constexpr std::int64_t kPiece = 512;     // positions that are summed in f32 before they go over to f64
constexpr std::int64_t kThread = 16384;  // elements that a second thread is worth while for

template <bool maxima, class T>
FOVEA_SIMD void add_rows(float* sum, float* best, const T* x, std::int64_t rows, std::int64_t stride, std::int64_t n,
                         bool fresh) {
  running::add_rows<maxima>(sum, best, x, rows, stride, n, fresh);
  if (maxima) running::find_nan(sum, best, x, rows, stride, n);
}

// What came out for n neighbours, all parts of a line together.
struct Result {
  double total[kStrip];
  float top[kStrip];

  FOVEA_INLINE void begin(std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) total[i] = 0, top[i] = -std::numeric_limits<float>::infinity();
  }
  // y: where the two values of a position, or the one, lie: the second `plane` behind the first.
  FOVEA_INLINE void write(const role::Line& l, float* y, std::int64_t plane, std::int64_t n) const {
    float *mean = y + (l.maximum && !l.mean_first ? plane : 0), *maximum = y + (l.mean_first ? plane : 0);
    const double scale = l.scale;
    for (std::int64_t i = 0; i < n; ++i) mean[i] = static_cast<float>(total[i] * scale);
    for (std::int64_t i = 0; l.maximum && i < n; ++i) maximum[i] = top[i];
  }
};

// Along one row's `width` positions of `channels`, of which n are wanted.
template <bool maxima, class T>
FOVEA_SIMD void across(const role::Line& l, const T* x, std::int64_t width, std::int64_t channels, std::int64_t n, float* y) {
  float sum[kStrip], best[kStrip];
  Result all;
  all.begin(n);
  for (std::int64_t first = 0; first < width; first += kPiece) {
    const std::int64_t rows = width < first + kPiece ? width - first : kPiece;
    running::add_rows<maxima>(sum, best, x + first * channels, rows, channels, n, true);
    if (maxima) running::find_nan(sum, best, x + first * channels, rows, channels, n);
    running::fold(all.total, all.top, sum, maxima ? best : nullptr, n);
  }
  all.write(l, y, channels, n);
}

FOVEA_SIMD void join_parts(const std::vector<role::Line>& lines, const float* sum, std::int64_t parts, std::int64_t step,
                           std::int64_t row, std::int64_t n, float* const* y) {
  Result all;
  all.begin(n);
  for (std::int64_t k = 0; k < parts; ++k, sum += step)
    running::fold(all.total, all.top, sum, step > row ? sum + row : nullptr, n);
  for (std::size_t k = 0; k < lines.size(); ++k)
    if (lines[k].axis == 2) all.write(lines[k], y[k], row, n);
}

}  // namespace

LineKernel::LineKernel(std::vector<role::Line> lines, const Shape& x)
    : lines_(std::move(lines)), samples_(x[0]), channels_(x[1]), height_(x[2]), width_(x[3]), row_(width_ * channels_) {
  parts_ = std::clamp<std::int64_t>(height_ / kRows, 1, kParts);
  part_ = (height_ + parts_ - 1) / parts_;
  parts_ = (height_ + part_ - 1) / part_;
  for (const role::Line& l : lines_) down_ |= l.axis == 2, tops_ |= l.axis == 2 && l.maximum;
  const auto across = [](const role::Line& l) { return l.axis == 3; };
  const auto first = std::find_if(lines_.begin(), lines_.end(), across);
  if (down_ && std::count_if(lines_.begin(), lines_.end(), across) == 1 && first->maximum == tops_ &&
      Crossed::fits(width_, channels_))
    crossed_ = static_cast<std::size_t>(first - lines_.begin());
}

std::int64_t LineKernel::workspace() const { return down_ ? samples_ * parts_ * row_ * (tops_ ? 2 : 1) : 0; }

template <class T>
void LineKernel::part(std::int64_t index, const T* x, float* const* out, float* sum, float* top) const {
  const std::int64_t sample = index / parts_, begin = index % parts_ * part_, end = std::min(height_, begin + part_);
  const std::int64_t group = crossed_ ? Crossed::kRows : std::max<std::int64_t>(1, kGroup / row_);
  for (std::int64_t first = begin; first < end; first += group) {
    const Rows rows{sample * height_ + first, std::min(group, end - first), first == begin};
    const T* from = x + rows.first * row_;
    if (crossed_) both(rows, from, out[*crossed_], sum, top);
    else if (down_) down(rows, from, sum, top);
    for (std::size_t k = 0; k < lines_.size(); ++k) {
      const role::Line& l = lines_[k];
      if (l.axis == 1) channel_statistics(out[k] + 2 * rows.first * width_, from, rows.count * width_, channels_, l.mean_first);
      for (std::int64_t r = 0; l.axis == 3 && crossed_ != k && r < rows.count; ++r)
        along_row(l, from + r * row_, out[k] + (rows.first + r) * channels_ * (l.maximum ? 2 : 1));
    }
  }
}

template <class T>
void LineKernel::both(const Rows& rows, const T* x, float* y, float* sum, float* top) const {
  const role::Line& l = lines_[*crossed_];
  const std::int64_t step = channels_ * (l.maximum ? 2 : 1);
  y += rows.first * step;
  crossed({.rows = rows.count,
           .width = width_,
           .channels = channels_,
           .fresh = rows.fresh,
           .down_sum = sum,
           .down_top = top,
           .scale = static_cast<float>(l.scale),
           .along_mean = y + (l.maximum && !l.mean_first ? channels_ : 0),
           .along_top = l.maximum ? y + (l.mean_first ? channels_ : 0) : nullptr,
           .step = step},
          x);
}

template <class T>
void LineKernel::down(const Rows& rows, const T* x, float* sum, float* top) const {
  for (std::int64_t i = 0; i < row_; i += kStrip) {
    const std::int64_t n = std::min(kStrip, row_ - i);
    if (top) add_rows<true>(sum + i, top + i, x + i, rows.count, row_, n, rows.fresh);
    else add_rows<false>(sum + i, top, x + i, rows.count, row_, n, rows.fresh);
  }
}

template <class T>
void LineKernel::along_row(const role::Line& l, const T* x, float* y) const {
  for (std::int64_t from = 0; from < channels_; from += kStrip) {
    const std::int64_t n = std::min(kStrip, channels_ - from);
    if (l.maximum) across<true>(l, x + from, width_, channels_, n, y + from);
    else across<false>(l, x + from, width_, channels_, n, y + from);
  }
}

void LineKernel::join(std::int64_t sample, std::int64_t from, const float* parts, float* const* out) const {
  const std::int64_t step = row_ * (tops_ ? 2 : 1);
  std::array<float*, kMost> y{};
  for (std::size_t k = 0; k < lines_.size(); ++k)
    if (lines_[k].axis == 2) y[k] = out[k] + sample * row_ * (lines_[k].maximum ? 2 : 1) + from;
  join_parts(lines_, parts + sample * parts_ * step + from, parts_, step, row_, std::min(kStrip, row_ - from), y.data());
}

template <class T>
void LineKernel::run(const T* x, float* const* out, float* workspace) const {
  const std::int64_t step = row_ * (tops_ ? 2 : 1);
  parallel_for(samples_ * parts_, std::max<std::int64_t>(1, kThread / (part_ * row_)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      part(i, x, out, workspace + i * step, tops_ ? workspace + i * step + row_ : nullptr);
  });
  if (!down_) return;
  const std::int64_t strips = (row_ + kStrip - 1) / kStrip;
  parallel_for(samples_ * strips, std::max<std::int64_t>(1, kThread / (parts_ * kStrip)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) join(i / strips, i % strips * kStrip, workspace, out);
               });
}

template void LineKernel::run(const float*, float* const*, float*) const;
template void LineKernel::run(const bf16*, float* const*, float*) const;

}  // namespace fovea::plan
