#include "datasets/scans/unit_range.hpp"

#include <algorithm>

#include "datasets/scans/local_contrast.hpp"
#include "datasets/scans/window.hpp"
#include "modules/core/error.hpp"

namespace fovea {
namespace {

struct Ends {
  double low, high;
};

Ends percentiles(const cv::Mat& values, std::optional<double> padding) {
  cv::Mat f32;
  values.reshape(1).convertTo(f32, CV_32F);
  const Window w = auto_window(f32, padding);
  return {w.level - w.width / 2, w.level + w.width / 2};
}

Ends ends_of(const cv::Mat& values, const Preprocess& p, std::optional<double> padding) {
  const bool scan = values.depth() == CV_32F;
  if (scan && p.range == Preprocess::Range::window)
    return {p.window_level - p.window_width / 2, p.window_level + p.window_width / 2};
  // A picture without units was windowed by whoever made it.
  if (scan || p.range == Preprocess::Range::percentiles) return percentiles(values, padding);
  return {0, values.depth() == CV_8U ? 255.0 : 65535.0};
}

}  // namespace

cv::Mat unit_range(const cv::Mat& values, const Preprocess& p, std::optional<double> padding, bool inverted) {
  check(values.depth() == CV_8U || values.depth() == CV_16U || values.depth() == CV_32F,
        "expected 8 or 16 bit pixels or 32-bit values, got OpenCV's type ", values.type());
  const Ends ends = ends_of(values, p, padding);
  const double factor = ends.high > ends.low ? 1 / (ends.high - ends.low) : 0;
  cv::Mat out;
  values.convertTo(out, CV_32F, factor, -ends.low * factor);
  for (int y = 0; y < out.rows; ++y) {
    auto* row = out.ptr<float>(y);
    for (int x = 0; x < out.cols * out.channels(); ++x) row[x] = row[x] > 0 ? std::min(row[x], 1.0f) : 0.0f;  // NaN: 0
  }
  // Without units of its own a modality is seen as people see it, whichever way it was stored.
  if (inverted && p.range != Preprocess::Range::window) out.convertTo(out, -1, -1, 1);
  return p.local_contrast > 0 ? local_contrast(out, p.local_contrast, p.background) : out;
}

}  // namespace fovea
