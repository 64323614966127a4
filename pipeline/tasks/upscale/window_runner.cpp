#include "pipeline/tasks/upscale/window_runner.hpp"

#include <algorithm>
#include <cstring>
#include <opencv2/imgproc.hpp>

#include "modules/autograd/tap.hpp"
#include "modules/core/error.hpp"

namespace fovea {
namespace {

// Into new memory: OpenCV would turn a square image in place, and `m` is the caller's.
cv::Mat transposed(const cv::Mat& m) {
  cv::Mat out;
  cv::transpose(m, out);
  return out;
}

cv::Mat mirrored(const cv::Mat& m, int axis) {
  cv::Mat out;
  cv::flip(m, out, axis);
  return out;
}

// Flip number: bit 2 transposes, then bit 0 mirrors left-right, bit 1 top-bottom. 0 is the image itself.
cv::Mat flipped(cv::Mat m, int flip) {
  if (flip & 4) m = transposed(m);
  if (flip & 1) m = mirrored(m, 1);
  if (flip & 2) m = mirrored(m, 0);
  return m;
}

cv::Mat unflipped(cv::Mat m, int flip) {
  if (flip & 2) m = mirrored(m, 0);
  if (flip & 1) m = mirrored(m, 1);
  if (flip & 4) m = transposed(m);
  return m;
}

// Channels-last memory is an interleaved image.
Tensor to_tensor(const cv::Mat& rgb) {
  const cv::Mat dense = rgb.isContinuous() ? rgb : rgb.clone();
  Tensor x = Tensor::empty({1, 3, dense.rows, dense.cols}, DType::f32, Layout::channels_last);
  std::memcpy(x.raw(), dense.data, x.bytes());
  return x;
}

// 1xCxhxw to an image of its channels' mean; of three channels kept apart with `keep_channels`.
cv::Mat to_image(const Tensor& t, bool keep_channels) {
  const Tensor dense = t.to(DType::f32).contiguous(Layout::channels_last);
  const auto height = static_cast<int>(t.dim(2)), width = static_cast<int>(t.dim(3));
  const std::int64_t channels = t.dim(1);
  const float* from = dense.data<float>();
  cv::Mat out(height, width, keep_channels ? CV_32FC3 : CV_32F);
  if (keep_channels) {
    std::memcpy(out.data, from, dense.bytes());
    return out;
  }
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x, from += channels) {
      double sum = 0;
      for (std::int64_t c = 0; c < channels; ++c) sum += static_cast<double>(from[c]);
      out.at<float>(y, x) = static_cast<float>(sum / static_cast<double>(channels));
    }
  return out;
}

cv::Scalar scalar(const std::vector<double>& v) { return {v.at(0), v.at(1), v.at(2)}; }

bool as_it_is(const Preprocess& p) {
  return p.mean == std::vector<double>(3, 0) && p.stddev == std::vector<double>(3, 1) && p.colour == Preprocess::Colour::rgb;
}

// From RGB 0..1 to the network's own range and order of colours, and back.
cv::Mat as_network_takes(const cv::Mat& rgb, const Preprocess& p) {
  if (as_it_is(p)) return rgb;
  cv::Mat out = rgb.clone();
  if (p.colour == Preprocess::Colour::bgr) cv::cvtColor(rgb, out, cv::COLOR_RGB2BGR);
  cv::subtract(out, scalar(p.mean), out);
  cv::divide(out, scalar(p.stddev), out);
  return out;
}

cv::Mat as_picture(cv::Mat out, const Preprocess& p) {
  if (as_it_is(p)) return out;
  cv::multiply(out, scalar(p.stddev), out);
  cv::add(out, scalar(p.mean), out);
  if (p.colour == Preprocess::Colour::bgr) cv::cvtColor(out, out, cv::COLOR_BGR2RGB);
  return out;
}

// A glob for taps of either kind. Braces do not nest, so globs that have some of their own are told apart afterwards.
std::string either(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) return a + b;
  return (a + b).find('{') == std::string::npos ? "{" + a + "," + b + "}" : "**";
}

void add_map(std::vector<AttentionMap>& maps, std::size_t index, const Model::Tap& tap, cv::Size window, int scale, int flip) {
  const Tensor& t = tap.value;
  const std::int64_t k = t.rank() == 4 ? t.dim(3) / std::max(window.width, 1) : 0;
  check(
      t.rank() == 4 && t.dim(0) == 1 && k >= 1 && scale % k == 0 && t.dim(3) == k * window.width && t.dim(2) == k * window.height,
      tap.name, ": an attention map of a ", window.width, "x", window.height,
      " input must be 1xCxhxw and a whole multiple of it ", "that divides the scale ", scale, ", got ", t.shape());
  cv::Mat heat = unflipped(to_image(t, false), flip);
  if (flip == 0) {
    maps.push_back({tap.name, heat});
  } else {
    check(index < maps.size() && maps[index].name == tap.name, tap.name, ": maps differ between flips of one image");
    maps[index].heat += heat;
  }
}

}  // namespace

Model::Result WindowRunner::run_once(const cv::Mat& rgb, const Feeds& feeds, const std::string& keep) const {
  Model::Result result = backend_.run(to_tensor(as_network_takes(rgb, backend_.preprocess)),
                                      {.keep = keep, .feeds = feeds, .precision = options_.precision});
  const Shape wanted{1, 3, std::int64_t{rgb.rows} * backend_.facts.scale, std::int64_t{rgb.cols} * backend_.facts.scale};
  check(result.output.shape() == wanted, "upscale: expected ", wanted, " from the network, got ", result.output.shape());
  return result;
}

WindowResult WindowRunner::run(const cv::Mat& rgb, std::span<const Feeds> feeds, bool maps, bool statistics) const {
  const UpscaleFacts& facts = backend_.facts;
  const std::string map_glob = maps ? facts.maps : "", statistics_glob = statistics ? facts.statistics : "";
  WindowResult sum;
  for (int flip = 0; flip < flips(); ++flip) {
    const cv::Mat turned = flipped(rgb, flip);
    const Feeds none;
    const Model::Result result =
        run_once(turned, feeds.empty() ? none : feeds[static_cast<std::size_t>(flip)], either(map_glob, statistics_glob));
    const cv::Mat colour = unflipped(as_picture(to_image(result.output, true), backend_.preprocess), flip);
    if (flip == 0) sum.colour = colour;
    else sum.colour += colour;
    Feeds& measured = sum.statistics.emplace_back();
    std::size_t index = 0;
    for (const Model::Tap& tap : result.taps) {
      if (glob_match(statistics_glob, tap.name)) measured[tap.name] = tap.value;
      if (glob_match(map_glob, tap.name)) add_map(sum.maps, index++, tap, turned.size(), facts.scale, flip);
    }
  }
  if (flips() > 1) {
    sum.colour /= flips();
    for (AttentionMap& map : sum.maps) map.heat /= flips();
  }
  return sum;
}

void StatisticsMean::add(const std::vector<Feeds>& statistics, double area) {
  sums_.resize(std::max(sums_.size(), statistics.size()));
  for (std::size_t flip = 0; flip < statistics.size(); ++flip) {
    for (const auto& [name, value] : statistics[flip]) {
      const std::vector<double> values = value.values();
      Sum& sum = sums_[flip].try_emplace(name, Sum{value.shape(), std::vector<double>(values.size())}).first->second;
      check(sum.shape == value.shape(), name, ": a statistic of the whole image must not depend on its size, got ", sum.shape,
            " and ", value.shape());
      for (std::size_t i = 0; i < values.size(); ++i) sum.values[i] += area * values[i];
    }
  }
  area_ += area;
}

std::vector<Feeds> StatisticsMean::mean() const {
  std::vector<Feeds> out(sums_.size());
  for (std::size_t flip = 0; flip < sums_.size(); ++flip) {
    for (const auto& [name, sum] : sums_[flip]) {
      std::vector<float> values;
      for (double v : sum.values) values.push_back(static_cast<float>(v / area_));
      out[flip][name] = Tensor::from(values, sum.shape);
    }
  }
  return out;
}

}  // namespace fovea
