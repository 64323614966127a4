#include "datasets/metrics/image_quality.hpp"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "modules/core/error.hpp"

namespace fovea {
namespace {

cv::Mat cropped_y(const cv::Mat& image, int border, const char* what) {
  check(border >= 0 && 2 * border < image.cols && 2 * border < image.rows, what, ": a border of ", border, " leaves nothing of ",
        image.cols, "x", image.rows);
  return rgb_to_y(image(cv::Rect(border, border, image.cols - 2 * border, image.rows - 2 * border)));
}

void check_pair(const cv::Mat& a, const cv::Mat& b, const char* what) {
  check(a.size() == b.size(), what, ": expected images of one size, got ", a.cols, "x", a.rows, " and ", b.cols, "x", b.rows);
}

cv::Mat blurred(const cv::Mat& m) {
  const cv::Mat kernel = cv::getGaussianKernel(kSsimWindow, 1.5, CV_64F);
  cv::Mat out;
  cv::sepFilter2D(m, out, CV_64F, kernel, kernel);
  const int half = kSsimWindow / 2;
  return out(cv::Rect(half, half, m.cols - 2 * half, m.rows - 2 * half));
}

}  // namespace

cv::Mat rgb_to_y(const cv::Mat& bgr) {
  const int channels = bgr.channels();
  check(bgr.depth() == CV_8U && (channels == 1 || channels == 3 || channels == 4) && !bgr.empty(),
        "rgb_to_y: expected an 8 bit image of 1, 3 or 4 channels");
  cv::Mat y(bgr.size(), CV_64F);
  if (channels == 1) {
    bgr.convertTo(y, CV_64F);
    return y;
  }
  for (int row = 0; row < bgr.rows; ++row) {
    const std::uint8_t* from = bgr.ptr<std::uint8_t>(row);
    double* to = y.ptr<double>(row);
    for (int x = 0; x < bgr.cols; ++x, from += channels)
      to[x] = 16 + (65.481 * from[2] + 128.553 * from[1] + 24.966 * from[0]) / 255;
  }
  return y;
}

double psnr_y(const cv::Mat& a, const cv::Mat& b, int border) {
  check_pair(a, b, "psnr_y");
  const cv::Mat ya = cropped_y(a, border, "psnr_y"), yb = cropped_y(b, border, "psnr_y");
  const double squares = cv::norm(ya, yb, cv::NORM_L2SQR);
  if (squares == 0) return kMostPsnr;
  return std::min(kMostPsnr, 10 * std::log10(255.0 * 255.0 * static_cast<double>(ya.total()) / squares));
}

double ssim_y(const cv::Mat& a, const cv::Mat& b, int border) {
  check_pair(a, b, "ssim_y");
  const cv::Mat x = cropped_y(a, border, "ssim_y"), y = cropped_y(b, border, "ssim_y");
  check(x.cols >= kSsimWindow && x.rows >= kSsimWindow, "ssim_y: expected at least 11x11 pixels inside the border, got ", x.cols,
        "x", x.rows);
  const double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255;
  const cv::Mat mx = blurred(x), my = blurred(y);
  const cv::Mat mxx = mx.mul(mx), myy = my.mul(my), mxy = mx.mul(my);
  const cv::Mat vx = blurred(x.mul(x)) - mxx, vy = blurred(y.mul(y)) - myy, vxy = blurred(x.mul(y)) - mxy;
  const cv::Mat above = (2 * mxy + c1).mul(2 * vxy + c2);
  const cv::Mat below = (mxx + myy + c1).mul(vx + vy + c2);
  return cv::mean(above / below)[0];
}

}  // namespace fovea
