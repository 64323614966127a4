#include "datasets/resample.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/core/simd.hpp"

namespace fovea {
namespace {

using Interpolation = Preprocess::Interpolation;

double radius_of(Interpolation i) { return i == Interpolation::bicubic ? 2 : i == Interpolation::bilinear ? 1 : 0.5; }

double kernel(Interpolation i, double x) {
  const double a = std::abs(x);
  if (i == Interpolation::bilinear) return std::max(0.0, 1 - a);
  if (a < 1) return (1.5 * a - 2.5) * a * a + 1;  // Keys, a = -0.5
  return a < 2 ? ((-0.5 * a + 2.5) * a - 4) * a + 2 : 0;
}

// Which input positions an output position takes, from `first`, and how much of each; the weights sum to 1.
struct Taps {
  int first = 0;
  std::vector<float> weights;
};

double weight_of(Interpolation i, int position, double centre, double scale) {
  if (i != Interpolation::area) return kernel(i, (position + 0.5 - centre) / scale);
  const double low = std::max<double>(position, centre - scale / 2), high = std::min<double>(position + 1, centre + scale / 2);
  return std::max(0.0, high - low);
}

std::vector<Taps> taps_of(int in, int out, int begin, int count, Interpolation interpolation) {
  const double ratio = static_cast<double>(in) / out, scale = std::max(1.0, ratio);
  if (interpolation == Interpolation::area && ratio < 1) interpolation = Interpolation::bilinear;  // no area to average
  const double radius = radius_of(interpolation) * scale;
  std::vector<Taps> all(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const double centre = (begin + i + 0.5) * ratio;
    const int first = std::max(0, static_cast<int>(std::floor(centre - radius))),
              last = std::min(in - 1, static_cast<int>(std::ceil(centre + radius)));
    std::vector<double> weights;
    double sum = 0;
    for (int p = first; p <= last; ++p) sum += weights.emplace_back(weight_of(interpolation, p, centre, scale));
    Taps& taps = all[static_cast<std::size_t>(i)];
    taps.first = first;
    for (const double w : weights) taps.weights.push_back(static_cast<float>(w / sum));
    while (taps.weights.size() > 1 && taps.weights.back() == 0) taps.weights.pop_back();
  }
  return all;
}

template <class T>
void shrink_row(const T* from, float* to, const std::vector<Taps>& taps, int channels) {
  for (const Taps& t : taps) {
    const T* p = from + static_cast<std::ptrdiff_t>(t.first) * channels;
    for (int c = 0; c < channels; ++c) to[c] = 0;
    for (const float w : t.weights)
      for (int c = 0; c < channels; ++c) to[c] += w * static_cast<float>(*p++);
    to += channels;
  }
}

FOVEA_SIMD void add_row(float* to, const float* from, float weight, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] += weight * from[i];
}

template <class T>
cv::Mat run(const cv::Mat& image, const std::vector<Taps>& columns, const std::vector<Taps>& rows) {
  const int channels = image.channels(), first = rows.front().first;
  int last = first;
  for (const Taps& t : rows) last = std::max(last, t.first + static_cast<int>(t.weights.size()));
  const auto type = CV_MAKETYPE(CV_32F, channels);
  cv::Mat narrow(last - first, static_cast<int>(columns.size()), type), out(static_cast<int>(rows.size()), narrow.cols, type);
  for (int y = first; y < last; ++y) shrink_row(image.ptr<T>(y), narrow.ptr<float>(y - first), columns, channels);
  const std::int64_t n = static_cast<std::int64_t>(narrow.cols) * channels;
  for (int y = 0; y < out.rows; ++y) {
    auto* to = out.ptr<float>(y);
    std::fill_n(to, n, 0.0f);
    const Taps& t = rows[static_cast<std::size_t>(y)];
    for (std::size_t k = 0; k < t.weights.size(); ++k)
      add_row(to, narrow.ptr<float>(t.first + static_cast<int>(k) - first), t.weights[k], n);
  }
  return out;
}

}  // namespace

cv::Mat resample(const cv::Mat& image, cv::Size size, const cv::Rect& window, Interpolation interpolation) {
  check(!image.empty() && image.dims == 2, "resample: expected an image, got an empty or more than 2-dimensional one");
  check(window.width > 0 && window.height > 0 && window == (window & cv::Rect({0, 0}, size)),
        "resample: expected a window inside ", size.width, "x", size.height);
  const auto columns = taps_of(image.cols, size.width, window.x, window.width, interpolation),
             rows = taps_of(image.rows, size.height, window.y, window.height, interpolation);
  switch (image.depth()) {
    case CV_8U: return run<std::uint8_t>(image, columns, rows);
    case CV_16U: return run<std::uint16_t>(image, columns, rows);
    case CV_32F: return run<float>(image, columns, rows);
    default: fail("resample: expected 8 or 16 bit unsigned or 32 bit float pixels");
  }
}

}  // namespace fovea
