#include "pipeline/tasks/highlight/view.hpp"

#include <algorithm>

namespace fovea {
namespace {

constexpr int kWholePicture = 1024 * 1024, kWindow = 768;  // pixels, side

// Mirrored at all edges, at the bottom and the right one until the stride divides both sides.
Tensor padded(const Tensor& x, int stride, int margin) {
  const std::int64_t rows = x.dim(2), columns = x.dim(3), channels = x.dim(1);
  const int height = up_to_multiple(static_cast<int>(rows) + 2 * margin, stride),
            width = up_to_multiple(static_cast<int>(columns) + 2 * margin, stride);
  if (height == rows && width == columns) return x;
  Tensor out = Tensor::empty({1, channels, height, width}, DType::f32, Layout::channels_last);
  const auto mirrored = [](int i, std::int64_t n) {
    return cv::borderInterpolate(i, static_cast<int>(n), cv::BORDER_REFLECT_101);
  };
  for (int row = 0; row < height; ++row)
    for (int column = 0; column < width; ++column)
      std::copy_n(x.data<float>() + (mirrored(row - margin, rows) * columns + mirrored(column - margin, columns)) * channels,
                  channels, out.data<float>() + (static_cast<std::int64_t>(row) * width + column) * channels);
  return out;
}

}  // namespace

int stride_of(const Model& model) {
  int most = 1;
  for (const Feature& f : model.features()) most = std::max(most, f.stride);
  return most;
}

int up_to_multiple(int v, int of) { return (v + of - 1) / of * of; }

NetworkView::NetworkView(const cv::Mat& values, const Preprocess& p, int stride, int around, int window, double overlap)
    : margin(around) {
  const Preprocessed seen = preprocess(values, p);
  geometry = seen.geometry;
  input = {padded(seen.tensor, stride, margin), {}, overlap};
  const cv::Size size = input.size(), shown = size - cv::Size(2 * margin, 2 * margin);
  const int side = window > 0                      ? up_to_multiple(window, stride)
                   : shown.area() <= kWholePicture ? std::max(size.width, size.height)
                                                   : up_to_multiple(kWindow, stride);
  input.windows = cover(size, {side, side}, overlap, stride);
}

}  // namespace fovea
