#include "datasets/augment/colour.hpp"

#include <array>
#include <cmath>
#include <numbers>
#include <utility>

namespace fovea {
namespace {

constexpr std::array<double, 3> kGrey{0.114, 0.587, 0.299};  // of B, G, R: Rec. 601

ColourMatrix linear(const cv::Matx33d& m) {
  ColourMatrix out = ColourMatrix::zeros();
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) out(i, j) = m(i, j);
  return out;
}

}  // namespace

ColourMatrix brightness_matrix(double factor) { return linear(cv::Matx33d::eye() * factor); }

ColourMatrix contrast_matrix(double factor, double mean) {
  ColourMatrix m = brightness_matrix(factor);
  for (int i = 0; i < 3; ++i) m(i, 3) = (1 - factor) * mean;
  return m;
}

ColourMatrix saturation_matrix(double factor) {
  ColourMatrix m = brightness_matrix(factor);
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) m(i, j) += (1 - factor) * kGrey[static_cast<std::size_t>(j)];
  return m;
}

ColourMatrix hue_matrix(double turn) {
  const cv::Matx33d to_yiq(0.114, 0.587, 0.299, -0.3213, -0.2744, 0.5957, 0.3111, -0.5226, 0.2115);  // from B, G, R
  const double a = 2 * std::numbers::pi * turn;
  const cv::Matx33d rotate(1, 0, 0, 0, std::cos(a), -std::sin(a), 0, std::sin(a), std::cos(a));
  return linear(to_yiq.inv() * rotate * to_yiq);
}

ColourMatrix after(const ColourMatrix& second, const ColourMatrix& first) {
  ColourMatrix out = ColourMatrix::zeros();
  for (int i = 0; i < 3; ++i) {
    for (int k = 0; k < 3; ++k)
      for (int j = 0; j < 4; ++j) out(i, j) += second(i, k) * first(k, j);
    out(i, 3) += second(i, 3);
  }
  return out;
}

double mean_grey(const cv::Mat& bgr) {
  const cv::Scalar mean = cv::mean(bgr);
  return kGrey[0] * mean[0] + kGrey[1] * mean[1] + kGrey[2] * mean[2];
}

void transform_colours(cv::Mat& bgr, const ColourMatrix& matrix) { cv::transform(bgr, bgr, matrix); }

void jitter_colours(cv::Mat& bgr, const Augment& a, Random& random) {
  const auto factor = [&](double v) { return 1 + v * (2 * random.uniform() - 1); };
  ColourMatrix all = brightness_matrix(1);
  const auto add = [&](const ColourMatrix& m) { all = after(m, all); };
  std::array<int, 4> order{0, 1, 2, 3};
  for (std::size_t i = 3; i > 0; --i)
    std::swap(order[i], order[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(i) + 1))]);
  double mean = mean_grey(bgr);
  for (const int what : order) {
    if (what == 0 && a.brightness > 0) {
      const double f = factor(a.brightness);
      mean *= f;  // contrast turns around the mean of what it is given; saturation and hue leave the mean grey alone
      add(brightness_matrix(f));
    }
    if (what == 1 && a.contrast > 0) add(contrast_matrix(factor(a.contrast), mean));
    if (what == 2 && a.saturation > 0) add(saturation_matrix(factor(a.saturation)));
    if (what == 3 && a.hue > 0) add(hue_matrix(a.hue * (2 * random.uniform() - 1)));
  }
  if (random.uniform() < a.grey) add(saturation_matrix(0));
  if (all != brightness_matrix(1)) transform_colours(bgr, all);
}

}  // namespace fovea
