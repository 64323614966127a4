#include "datasets/preprocess.hpp"

#include <algorithm>
#include <cmath>

#include "datasets/channels.hpp"
#include "datasets/resample.hpp"
#include "datasets/scans/unit_range.hpp"
#include "modules/core/whole.hpp"

namespace fovea {
namespace {

constexpr const char* kSide = "preprocess: a side of the whole picture in network pixels (crop_fraction?)";

int rounded(double v) { return std::max(1, whole<int>(std::round(v), kSide)); }

// Where the network's channel c lies in OpenCV's order.
int source_channel(const Preprocess& p, int c) {
  return p.channels == 3 && p.colour == Preprocess::Colour::rgb && !p.neighbours ? 2 - c : c;
}

struct Normaliser {
  std::vector<float> factor, offset;
  Normaliser(const Preprocess& p, double top) {
    for (std::size_t c = 0; c < p.mean.size(); ++c) {
      factor.push_back(static_cast<float>(1 / (top * p.stddev[c])));
      offset.push_back(static_cast<float>(-p.mean[c] / p.stddev[c]));
    }
  }
};

// `none` made into a size: that of the picture.
Preprocess sized_for(cv::Size picture, Preprocess p) {
  if (p.resize != Preprocess::Resize::none) return p;
  p.resize = Preprocess::Resize::stretch;
  p.height = picture.height, p.width = picture.width;
  return p;
}

// The size of the whole picture in network pixels: what crop cuts from, what letterbox pads.
cv::Size resized_size(cv::Size source, const Preprocess& p) {
  if (p.resize == Preprocess::Resize::stretch) return {p.width, p.height};
  const double fraction = p.resize == Preprocess::Resize::crop ? p.crop_fraction : 1;
  // As torchvision and timm count: 224 / 0.875 = 256 pixels for the shorter side, the longer rounded down.
  const double high = std::floor(p.height / fraction), wide = std::floor(p.width / fraction), by_height = high / source.height,
               by_width = wide / source.width;
  if (p.resize == Preprocess::Resize::letterbox) {
    const double scale = std::min(by_height, by_width);
    return {std::min(p.width, rounded(source.width * scale)), std::min(p.height, rounded(source.height * scale))};
  }
  if (by_height >= by_width)
    return {std::max(p.width, whole<int>(high * source.width / source.height, kSide)), whole<int>(high, kSide)};
  return {whole<int>(wide, kSide), std::max(p.height, whole<int>(wide * source.height / source.width, kSide))};
}

// Python's round(difference / 2): halves go to the even neighbour, as torchvision's centre crop does.
int half(int difference) { return static_cast<int>(std::nearbyint(difference / 2.0)); }

double top_of(const cv::Mat& image) {
  switch (image.depth()) {
    case CV_8U: return 255;
    case CV_16U: return 65535;
    case CV_32F: return 1;
    default: fail("preprocess: expected 8 or 16 bit unsigned or 32 bit float pixels");
  }
}

float* sample_of(Tensor& batch, std::int64_t index, const Preprocess& p, const char* who) {
  check(batch.rank() == 4 && batch.is_dense(Layout::channels_last) &&
            batch.shape() == Shape{batch.dim(0), p.channels, p.height, p.width} && index >= 0 && index < batch.dim(0),
        who, ": expected a channels-last batch N x ", p.channels, " x ", p.height, " x ", p.width, " with a sample ", index,
        ", got ", batch.shape());
  return batch.data<float>() + index * p.height * p.width * p.channels;
}

void fill_with_pad(float* out, const Preprocess& p) {
  std::vector<float> pad;
  for (std::size_t c = 0; c < p.pad.size(); ++c) pad.push_back(static_cast<float>((p.pad[c] - p.mean[c]) / p.stddev[c]));
  for (std::int64_t i = 0, n = static_cast<std::int64_t>(p.height) * p.width; i < n; ++i)
    for (const float v : pad) *out++ = v;
}

template <class Pixel>
void normalise_rows(float* out, const cv::Mat& image, const Preprocess& p) {
  const Normaliser n(p, top_of(image));
  std::vector<int> from;
  for (int c = 0; c < p.channels; ++c) from.push_back(source_channel(p, c));
  for (int y = 0; y < image.rows; ++y) {
    const auto* row = image.ptr<Pixel>(y);
    for (int x = 0; x < image.cols; ++x, row += p.channels)
      for (std::size_t c = 0; c < from.size(); ++c) *out++ = static_cast<float>(row[from[c]]) * n.factor[c] + n.offset[c];
  }
}

// Pixels whose values mean something by the rest of the picture alone: as a scan's, whichever task asks.
cv::Mat ranged(const cv::Mat& image, const Preprocess& p) {
  const bool own = p.range == Preprocess::Range::percentiles || p.local_contrast > 0;
  return own && image.depth() != CV_32F ? unit_range(image, p) : image;
}

}  // namespace

cv::Point2d Geometry::to_source(cv::Point2d n) const {
  return {(n.x + 0.5 - shift_x) * scale_x - 0.5, (n.y + 0.5 - shift_y) * scale_y - 0.5};
}

cv::Point2d Geometry::to_network(cv::Point2d s) const {
  return {(s.x + 0.5) / scale_x + shift_x - 0.5, (s.y + 0.5) / scale_y + shift_y - 0.5};
}

cv::Size Geometry::resized() const { return {rounded(source.width / scale_x), rounded(source.height / scale_y)}; }

cv::Rect2d Geometry::to_source(const cv::Rect2d& area) const { return {to_source(area.tl()), to_source(area.br())}; }
cv::Rect2d Geometry::to_network(const cv::Rect2d& area) const { return {to_network(area.tl()), to_network(area.br())}; }

Geometry geometry_of(cv::Size source, const Preprocess& described) {
  check(source.width > 0 && source.height > 0, "preprocess: the image is empty");
  const Preprocess p = sized_for(source, described);
  const cv::Size whole = resized_size(source, p);
  Geometry g;
  g.source = source;
  g.network = {p.width, p.height};
  g.scale_x = static_cast<double>(source.width) / whole.width;
  g.scale_y = static_cast<double>(source.height) / whole.height;
  g.shift_x = whole.width <= p.width ? (p.width - whole.width) / 2 : -half(whole.width - p.width);
  g.shift_y = whole.height <= p.height ? (p.height - whole.height) / 2 : -half(whole.height - p.height);
  g.content = cv::Rect(g.shift_x, g.shift_y, whole.width, whole.height) & cv::Rect(0, 0, p.width, p.height);
  return g;
}

Geometry preprocess_into(Tensor& batch, std::int64_t index, const cv::Mat& given, const Preprocess& described) {
  const Preprocess p = sized_for(given.size(), described);
  const cv::Mat image = ranged(given, p);
  float* out = sample_of(batch, index, p, "preprocess");
  const Geometry g = geometry_of(image.size(), p);
  const Normaliser n(p, top_of(image));
  const float top = static_cast<float>(top_of(image));
  const cv::Mat pixels =
      resample(with_channels(image, p.channels), g.resized(), g.content - cv::Point(g.shift_x, g.shift_y), p.interpolation);
  if (g.content.size() != g.network) fill_with_pad(out, p);
  for (int y = 0; y < pixels.rows; ++y) {
    const auto* row = pixels.ptr<float>(y);
    float* to = out + (static_cast<std::ptrdiff_t>(g.content.y + y) * p.width + g.content.x) * p.channels;
    for (int x = 0; x < pixels.cols; ++x, row += p.channels)
      for (int c = 0; c < p.channels; ++c, ++to) {
        const float v = std::clamp(row[source_channel(p, c)], 0.0f, top);  // bicubic overshoots
        *to = v * n.factor[static_cast<std::size_t>(c)] + n.offset[static_cast<std::size_t>(c)];
      }
  }
  return g;
}

Preprocessed preprocess(const cv::Mat& image, const Preprocess& described) {
  const Preprocess p = sized_for(image.size(), described);
  Preprocessed out{Tensor::empty({1, p.channels, p.height, p.width}, DType::f32, Layout::channels_last), {}};
  out.geometry = preprocess_into(out.tensor, 0, image, p);
  return out;
}

void normalise_into(Tensor& batch, std::int64_t index, const cv::Mat& pixels, const Preprocess& p) {
  float* out = sample_of(batch, index, p, "normalise");
  check((pixels.depth() == CV_8U || pixels.depth() == CV_32F) && pixels.rows == p.height && pixels.cols == p.width,
        "normalise: expected ", p.height, "x", p.width, " pixels of 8 bits or 32-bit floats");
  const cv::Mat image = with_channels(ranged(pixels, p), p.channels);
  if (image.depth() == CV_8U) normalise_rows<std::uint8_t>(out, image, p);
  else normalise_rows<float>(out, image, p);
}

}  // namespace fovea
