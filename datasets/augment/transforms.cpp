#include "datasets/augment/transforms.hpp"

#include <array>
#include <cmath>
#include <functional>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "datasets/augment/colour.hpp"

namespace fovea {
namespace {

const cv::Scalar kFill = cv::Scalar::all(128);

// `back` takes places of the result, from the middle, to places of the picture.
void warp(cv::Mat& m, const cv::Matx22d& back, double shift_x, double shift_y) {
  const double cx = (m.cols - 1) / 2.0, cy = (m.rows - 1) / 2.0;
  const cv::Matx23d all(back(0, 0), back(0, 1), cx - back(0, 0) * cx - back(0, 1) * cy + shift_x, back(1, 0), back(1, 1),
                        cy - back(1, 0) * cx - back(1, 1) * cy + shift_y);
  cv::Mat out;
  cv::warpAffine(m, out, all, m.size(), cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_CONSTANT, kFill);
  m = out;
}

void rotate(cv::Mat& m, double degrees) {
  const double a = degrees * std::numbers::pi / 180;
  warp(m, {std::cos(a), -std::sin(a), std::sin(a), std::cos(a)}, 0, 0);
}

void by_table(cv::Mat& m, const std::function<int(int)>& value) {
  cv::Mat table(1, 256, CV_8U);
  for (int i = 0; i < 256; ++i) table.at<std::uint8_t>(i) = cv::saturate_cast<std::uint8_t>(value(i));
  cv::LUT(m, table, m);
}

// Towards (below 1) or away from (above 1) the picture softened by the 3 x 3 kernel of Pillow; its border stays.
void sharpness(cv::Mat& m, double factor) {
  if (m.rows < 3 || m.cols < 3) return;
  const cv::Matx33f kernel(1, 1, 1, 1, 5, 1, 1, 1, 1);
  cv::Mat soft;
  cv::filter2D(m, soft, -1, cv::Mat(kernel) / 13);
  const cv::Rect inside(1, 1, m.cols - 2, m.rows - 2);
  cv::Mat area = m(inside);
  cv::addWeighted(area, factor, soft(inside), 1 - factor, 0, area);
}

template <class F>
void each_channel(cv::Mat& m, const F& f) {
  std::array<cv::Mat, 3> channels;
  cv::split(m, channels.data());
  for (cv::Mat& c : channels) f(c);
  cv::merge(channels.data(), channels.size(), m);
}

void autocontrast(cv::Mat& channel) {
  double low = 0, high = 0;
  cv::minMaxLoc(channel, &low, &high);
  if (high > low) channel.convertTo(channel, CV_8U, 255 / (high - low), -low * 255 / (high - low));
}

struct Transform {
  std::string name;
  std::function<void(cv::Mat&, double, int)> run;
};

const std::vector<Transform>& table() {
  static const std::vector<Transform> all{
      {"identity", [](cv::Mat&, double, int) {}},
      {"shear_x",
       [](cv::Mat& m, double s, int way) {
         warp(m, {1, 0.3 * s * way, 0, 1}, 0, 0);
       }},
      {"shear_y",
       [](cv::Mat& m, double s, int way) {
         warp(m, {1, 0, 0.3 * s * way, 1}, 0, 0);
       }},
      {"translate_x",
       [](cv::Mat& m, double s, int way) { warp(m, cv::Matx22d::eye(), std::round(150.0 / 331 * m.cols * s * way), 0); }},
      {"translate_y",
       [](cv::Mat& m, double s, int way) { warp(m, cv::Matx22d::eye(), 0, std::round(150.0 / 331 * m.rows * s * way)); }},
      {"rotate", [](cv::Mat& m, double s, int way) { rotate(m, 30 * s * way); }},
      {"brightness", [](cv::Mat& m, double s, int way) { transform_colours(m, brightness_matrix(1 + 0.9 * s * way)); }},
      {"colour", [](cv::Mat& m, double s, int way) { transform_colours(m, saturation_matrix(1 + 0.9 * s * way)); }},
      {"contrast", [](cv::Mat& m, double s, int way) { transform_colours(m, contrast_matrix(1 + 0.9 * s * way, mean_grey(m))); }},
      {"sharpness", [](cv::Mat& m, double s, int way) { sharpness(m, 1 + 0.9 * s * way); }},
      {"posterize",
       [](cv::Mat& m, double s, int) {
         const int mask = 0xff << static_cast<int>(std::lround(4 * s));
         by_table(m, [mask](int v) { return v & mask; });
       }},
      {"solarize", [](cv::Mat& m, double s,
                      int) { by_table(m, [limit = 255 * (1 - s)](int v) { return v < limit || limit >= 255 ? v : 255 - v; }); }},
      {"autocontrast", [](cv::Mat& m, double, int) { each_channel(m, autocontrast); }},
      {"equalize", [](cv::Mat& m, double, int) { each_channel(m, [](cv::Mat& c) { cv::equalizeHist(c, c); }); }},
  };
  return all;
}

}  // namespace

const std::vector<std::string>& transforms() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Transform& c : table()) all.push_back(c.name);
    return all;
  }();
  return names;
}

void apply_random_transform(cv::Mat& bgr, double strength, Random& random) {
  const Transform& c = table()[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(table().size())))];
  c.run(bgr, strength, random.below(2) ? 1 : -1);
}

void apply_transform(cv::Mat& bgr, const std::string& name, double strength, int way) {
  for (const Transform& c : table())
    if (c.name == name) return c.run(bgr, strength, way);
  fail("augment: there is no transform '", name, "'");
}

}  // namespace fovea
