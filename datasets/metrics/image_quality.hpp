// PSNR and SSIM on luminance, as super-resolution reports them.
#pragma once

#include <opencv2/core.hpp>

namespace fovea {

// Luminance of ITU-R BT.601 as MATLAB's rgb2ycbcr has it, 16 ... 235, not rounded: Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255.
// `bgr`: 8 bit, 3 or 4 channels (alpha is ignored); 1 channel is taken as Y itself, as the field's scripts do. Result: CV_64F, 1 channel.
cv::Mat rgb_to_y(const cv::Mat& bgr);

// Peak signal-to-noise ratio in dB of two 8-bit images of one size, peak 255, on Y, `border` pixels cut off each side.
// At most kMostPsnr, which equal images get: the field's usual bound, so that means, comparisons and files of scores stay numbers when one picture
// (a flat one, say) is met exactly.
inline constexpr double kMostPsnr = 100;
double psnr_y(const cv::Mat& a, const cv::Mat& b, int border = 0);

// Structural similarity (Wang et al. 2004) on Y: 11x11 Gaussian window, sigma 1.5, K1 0.01, K2 0.03, L 255, mean over the positions
// where the window lies inside. After the border is cut, kSsimWindow pixels at least each way.
inline constexpr int kSsimWindow = 11;
double ssim_y(const cv::Mat& a, const cv::Mat& b, int border = 0);

}  // namespace fovea
