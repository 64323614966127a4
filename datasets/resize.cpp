#include "datasets/resize.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "modules/core/error.hpp"

namespace fovea {
namespace {

// What an output position takes from the input: `taps` indices and weights each.
struct Weights {
  int taps = 0;
  std::vector<int> index;
  std::vector<double> weight;
};

double cubic(double x) {
  const double a = std::abs(x), a2 = a * a, a3 = a2 * a;
  if (a <= 1) return 1.5 * a3 - 2.5 * a2 + 1;
  if (a <= 2) return -0.5 * a3 + 2.5 * a2 - 4 * a + 2;
  return 0;
}

int inside(int i, int n, Edge edge) {
  if (edge == Edge::repeat) return std::clamp(i, 0, n - 1);
  // ... 1 0 | 0 1 2 ... n-1 | n-1 n-2 ...
  const int period = 2 * n, m = ((i % period) + period) % period;
  return m < n ? m : period - 1 - m;
}

// MATLAB's contributions(): ceil(width) + 2 taps from floor(u - width / 2), weights normalised to sum 1.
Weights contributions(int in, int out, double scale, Edge edge) {
  const double stretch = std::min(scale, 1.0), width = 4 / stretch;
  Weights w;
  w.taps = static_cast<int>(std::ceil(width)) + 2;
  w.index.resize(static_cast<std::size_t>(out) * static_cast<std::size_t>(w.taps));
  w.weight.resize(w.index.size());
  for (int i = 0; i < out; ++i) {
    const double u = (i + 1) / scale + 0.5 * (1 - 1 / scale);  // counted from 1, as MATLAB does
    const int left = static_cast<int>(std::floor(u - width / 2));
    double* weight = &w.weight[static_cast<std::size_t>(i) * static_cast<std::size_t>(w.taps)];
    int* index = &w.index[static_cast<std::size_t>(i) * static_cast<std::size_t>(w.taps)];
    for (int k = 0; k < w.taps; ++k) {
      weight[k] = stretch * cubic(stretch * (u - (left + k)));
      index[k] = inside(left + k - 1, in, edge);
    }
    const double sum = std::accumulate(weight, weight + w.taps, 0.0);
    for (int k = 0; k < w.taps; ++k) weight[k] /= sum;
  }
  return w;
}

cv::Mat along_rows(const cv::Mat& image, const Weights& w, int out_height) {
  cv::Mat out(out_height, image.cols, image.type());
  const int n = image.cols * image.channels();
  for (int y = 0; y < out_height; ++y) {
    double* to = out.ptr<double>(y);
    std::fill_n(to, n, 0.0);
    for (int k = 0; k < w.taps; ++k) {
      const std::size_t at = static_cast<std::size_t>(y) * static_cast<std::size_t>(w.taps) + static_cast<std::size_t>(k);
      const double weight = w.weight[at];
      const double* from = image.ptr<double>(w.index[at]);
      if (weight == 0) continue;
      for (int x = 0; x < n; ++x) to[x] += weight * from[x];
    }
  }
  return out;
}

cv::Mat along_columns(const cv::Mat& image, const Weights& w, int out_width) {
  cv::Mat out(image.rows, out_width, image.type());
  const int channels = image.channels();
  for (int y = 0; y < image.rows; ++y) {
    const double* from = image.ptr<double>(y);
    double* to = out.ptr<double>(y);
    for (int x = 0; x < out_width; ++x) {
      const std::size_t at = static_cast<std::size_t>(x) * static_cast<std::size_t>(w.taps);
      for (int c = 0; c < channels; ++c) {
        double sum = 0;
        for (std::size_t k = at; k < at + static_cast<std::size_t>(w.taps); ++k)
          sum += w.weight[k] * from[w.index[k] * channels + c];
        to[x * channels + c] = sum;
      }
    }
  }
  return out;
}

// MATLAB gives every pass its input's type back: integers are rounded between the passes too.
cv::Mat to_depth(const cv::Mat& image, int depth) {
  if (depth == CV_64F) return image;
  cv::Mat out;
  if (depth == CV_32F) {
    image.convertTo(out, depth);
    return out;
  }
  const double top = depth == CV_8U ? 255 : 65535;
  cv::Mat rounded = image.clone();
  for (int y = 0; y < rounded.rows; ++y) {
    double* row = rounded.ptr<double>(y);
    for (int x = 0; x < rounded.cols * rounded.channels(); ++x) row[x] = std::clamp(std::floor(row[x] + 0.5), 0.0, top);
  }
  rounded.convertTo(out, depth);  // exact now; convertTo alone would round halves to even
  return out;
}

cv::Mat resize(const cv::Mat& image, cv::Size size, double scale_x, double scale_y, Edge edge) {
  const int depth = image.depth();
  check(!image.empty() && image.dims == 2, "imresize: expected an image, got an empty or more than 2-dimensional one");
  check(depth == CV_8U || depth == CV_16U || depth == CV_32F || depth == CV_64F,
        "imresize: expected 8 or 16 bit unsigned or float pixels");
  check(size.width > 0 && size.height > 0, "imresize: expected a positive size, got ", size.width, "x", size.height);
  const auto rows = [&](const cv::Mat& m) {
    return along_rows(m, contributions(m.rows, size.height, scale_y, edge), size.height);
  };
  const auto columns = [&](const cv::Mat& m) {
    return along_columns(m, contributions(m.cols, size.width, scale_x, edge), size.width);
  };
  const auto between = [&](const cv::Mat& m) {
    cv::Mat out;
    to_depth(m, depth).convertTo(out, CV_64F);
    return out;
  };
  cv::Mat wide;
  image.convertTo(wide, CV_64F);
  // The axis that shrinks more goes first, rows when equal.
  const cv::Mat done = scale_y <= scale_x ? columns(between(rows(wide))) : rows(between(columns(wide)));
  return to_depth(done, depth);
}

int scaled(int size, double scale) { return static_cast<int>(std::min(std::ceil(size * scale), 1e6)); }

}  // namespace

cv::Mat imresize(const cv::Mat& image, double scale, Edge edge) {
  check(std::isfinite(scale) && scale > 0, "imresize: expected a positive scale, got ", scale);
  return resize(image, {scaled(image.cols, scale), scaled(image.rows, scale)}, scale, scale, edge);
}

cv::Mat imresize(const cv::Mat& image, cv::Size size, Edge edge) {
  check(!image.empty(), "imresize: the image is empty");
  return resize(image, size, static_cast<double>(size.width) / image.cols, static_cast<double>(size.height) / image.rows, edge);
}

}  // namespace fovea
