#include "datasets/regions/augment.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

namespace fovea {
namespace {

double between(double low, double high, Random& random) { return low + (high - low) * random.uniform(); }

// As likely above 1 as below.
double factor(double strength, Random& random) { return std::exp(between(-1, 1, random) * std::log1p(strength)); }

// Values drawn on a coarse grid and made smooth between.
cv::Mat smooth_field(cv::Size size, double spacing, int channels, Random& random) {
  const int columns = std::max(2, static_cast<int>(std::lround(size.width / spacing)) + 1),
            rows = std::max(2, static_cast<int>(std::lround(size.height / spacing)) + 1);
  cv::Mat coarse(rows, columns, CV_32FC(channels)), out;
  for (int i = 0; i < rows; ++i)
    for (int k = 0; k < columns * channels; ++k) coarse.ptr<float>(i)[k] = static_cast<float>(random.normal());
  cv::resize(coarse, out, size, 0, 0, cv::INTER_CUBIC);
  return out;
}

cv::Mat remapped(const cv::Mat& m, const cv::Mat& warp, const std::optional<cv::Scalar>& border) {
  cv::Mat out;
  cv::remap(m, out, warp, cv::noArray(), cv::INTER_LINEAR, border ? cv::BORDER_CONSTANT : cv::BORDER_REFLECT_101,
            border.value_or(cv::Scalar()));
  return out;
}

void clamp_unit(cv::Mat& values) {
  for (int y = 0; y < values.rows; ++y)
    for (int x = 0; x < values.cols * values.channels(); ++x)
      values.ptr<float>(y)[x] = std::clamp(values.ptr<float>(y)[x], 0.0f, 1.0f);
}

}  // namespace

RegionAugment read_region_augment(Args& a) {
  RegionAugment r;
  r.flip = a.get("flip", r.flip, "probability of left and right swapped", {0, 1});
  r.flip_vertical = a.get("flip_vertical", r.flip_vertical, "probability of top and bottom swapped", {0, 1});
  r.rotate90 = a.get("rotate90", r.rotate90, "turned by any number of quarters");
  r.rotate = a.get("rotate", r.rotate, "degrees to either side", {0, 180});
  const auto scale = a.numbers("scale", {r.scale_low, r.scale_high}, "[smallest, largest] factor by which things become larger");
  check(scale.size() == 2 && scale[0] > 0.05 && scale[0] <= scale[1] && scale[1] < 20, a.where(),
        ": scale: expected [smallest, largest] between 0.05 and 20");
  r.scale_low = scale[0], r.scale_high = scale[1];
  r.shift = a.get("shift", r.shift, "to any side, of the picture's sides", {0, 1});
  r.elastic = a.get("elastic", r.elastic, "standard deviation of elastic displacements, in pixels", {0, 1000});
  r.elastic_grid =
      a.get("elastic_grid", r.elastic_grid, "pixels between displacements that know nothing of each other", {2, 10000});
  r.gamma = a.get("gamma", r.gamma, "exponents from 1 / (1 + v) to 1 + v", {0, 10});
  r.contrast = a.get("contrast", r.contrast, "factors from 1 / (1 + v) to 1 + v around the mean", {0, 10});
  r.brightness = a.get("brightness", r.brightness, "added: -v to v", {0, 1});
  r.noise = a.get("noise", r.noise, "largest standard deviation of normal noise", {0, 1});
  r.blur = a.get("blur", r.blur, "largest sigma of a blur, in pixels", {0, 50});
  r.bias_field = a.get("bias_field", r.bias_field, "strength of a smooth field of factors, as coils of MR make", {0, 1});
  r.invert = a.get("invert", r.invert, "probability of black and white swapped", {0, 1});
  return r;
}

cv::Mat random_warp(cv::Size crop, cv::Point2d centre, const RegionAugment& a, Random& random) {
  const double larger = std::exp(between(std::log(a.scale_low), std::log(a.scale_high), random));
  double angle = between(-a.rotate, a.rotate, random) * std::numbers::pi / 180;
  if (a.rotate90) angle += static_cast<double>(random.below(4)) * std::numbers::pi / 2;
  const double left_right = random.uniform() < a.flip ? -1 : 1, top_bottom = random.uniform() < a.flip_vertical ? -1 : 1;
  centre += cv::Point2d(between(-a.shift, a.shift, random) * crop.width, between(-a.shift, a.shift, random) * crop.height);
  const double c = std::cos(angle) / larger, s = std::sin(angle) / larger;
  cv::Mat bend = a.elastic > 0 ? cv::Mat(smooth_field(crop, a.elastic_grid, 2, random) * a.elastic) : cv::Mat();
  cv::Mat warp(crop, CV_32FC2);
  for (int y = 0; y < crop.height; ++y)
    for (int x = 0; x < crop.width; ++x) {
      const double u = left_right * (x - (crop.width - 1) / 2.0), v = top_bottom * (y - (crop.height - 1) / 2.0);
      cv::Vec2f at(static_cast<float>(centre.x + c * u - s * v), static_cast<float>(centre.y + s * u + c * v));
      if (!bend.empty()) at += bend.at<cv::Vec2f>(y, x);
      warp.at<cv::Vec2f>(y, x) = at;
    }
  return warp;
}

cv::Mat warped_values(const cv::Mat& values, const cv::Mat& warp, const std::optional<cv::Scalar>& border) {
  return remapped(values, warp, border);
}

cv::Mat warped_mask(const cv::Mat& mask, const cv::Mat& warp, const std::optional<cv::Scalar>& border) {
  cv::Mat share;
  mask.convertTo(share, CV_32F);
  return cv::Mat(remapped(share, warp, border) >= 0.5) / 255;
}

void change_values(cv::Mat& values, const RegionAugment& a, Random& random) {
  if (a.bias_field > 0) {
    cv::Mat field = smooth_field(values.size(), std::max(values.rows, values.cols) / 2.0, 1, random);
    field = cv::max(1 + a.bias_field * cv::min(cv::max(field, -1), 1), 0);
    std::vector<cv::Mat> channels;
    cv::split(values, channels);
    for (cv::Mat& c : channels) c = c.mul(field);
    cv::merge(channels, values);
  }
  if (a.contrast > 0 || a.brightness > 0) {
    const double times = factor(a.contrast, random), plus = between(-a.brightness, a.brightness, random);
    const double all = cv::mean(values.reshape(1))[0];
    values.convertTo(values, -1, times, all * (1 - times) + plus);
  }
  clamp_unit(values);
  if (a.gamma > 0) cv::pow(values, factor(a.gamma, random), values);
  if (random.uniform() < a.invert) values.convertTo(values, -1, -1, 1);
  if (const double sigma = between(0, a.blur, random); sigma > 0.2) cv::GaussianBlur(values, values, {}, sigma);
  if (const double level = between(0, a.noise, random); level > 0)
    for (int y = 0; y < values.rows; ++y)
      for (int x = 0; x < values.cols * values.channels(); ++x) {
        float& v = values.ptr<float>(y)[x];
        v = std::clamp(v + static_cast<float>(level * random.normal()), 0.0f, 1.0f);
      }
}

}  // namespace fovea
