#include "pipeline/sinks/heatmap.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "modules/core/error.hpp"

namespace fovea {
namespace {

void require_heat(const cv::Mat& heat) {
  check(heat.type() == CV_32FC1 && !heat.empty(), "heat map: expected one channel of 32-bit floats, got OpenCV type ",
        heat.type(), " of ", heat.cols, "x", heat.rows);
}

std::vector<float> finite_values(const cv::Mat& heat) {
  std::vector<float> values;
  values.reserve(heat.total());
  for (int y = 0; y < heat.rows; ++y)
    std::copy_if(heat.ptr<float>(y), heat.ptr<float>(y) + heat.cols, std::back_inserter(values),
                 [](float v) { return std::isfinite(v); });
  return values;
}

// Values on [0, most] of an integer type; what is not finite, and everything in a map of one value, becomes 0.
template <class T>
cv::Mat scaled(const cv::Mat& heat, HeatRange range, double most) {
  cv::Mat out(heat.size(), cv::DataType<T>::type);
  const double width = static_cast<double>(range.high) - static_cast<double>(range.low);
  for (int y = 0; y < heat.rows; ++y)
    for (int x = 0; x < heat.cols; ++x) {
      const double v = static_cast<double>(heat.at<float>(y, x));
      const double at = width > 0 && std::isfinite(v) ? (v - static_cast<double>(range.low)) / width : 0;
      out.at<T>(y, x) = static_cast<T>(std::lround(std::clamp(at, 0.0, 1.0) * most));
    }
  return out;
}

int opencv_colours(Colours colours) {
  switch (colours) {
    case Colours::viridis: return cv::COLORMAP_VIRIDIS;
    case Colours::inferno: return cv::COLORMAP_INFERNO;
    case Colours::turbo: return cv::COLORMAP_TURBO;
  }
  fail("heat map: unknown colours");
}

// The picture in grey, 8 bit, three channels; what is transparent shows white.
cv::Mat grey_picture(const Image& image) {
  cv::Mat m = image.pixels;
  check(m.depth() == CV_8U || m.depth() == CV_16U, "heat map: expected a picture of 8 or 16 bit, got OpenCV type ", m.type());
  if (m.depth() == CV_16U) m.convertTo(m, CV_8U, 1.0 / 257);
  cv::Mat grey = m;
  if (m.channels() == 3) cv::cvtColor(m, grey, cv::COLOR_BGR2GRAY);
  if (m.channels() == 4) {
    cv::cvtColor(m, grey, cv::COLOR_BGRA2GRAY);
    grey.forEach<std::uint8_t>([&](std::uint8_t& v, const int* at) {
      const int alpha = m.at<cv::Vec4b>(at[0], at[1])[3];
      v = static_cast<std::uint8_t>((v * alpha + 255 * (255 - alpha) + 127) / 255);
    });
  }
  cv::Mat out;
  cv::cvtColor(grey, out, cv::COLOR_GRAY2BGR);
  return out;
}

// The colours from low to high with the values at their ends; the numbers are left out where there is no room for them.
cv::Mat legend_strip(int width, HeatRange range, Colours colours) {
  constexpr int kHeight = 24, kBar = 8;
  constexpr double kFont = 0.4;
  cv::Mat ramp(1, width, CV_8U), bar;
  for (int x = 0; x < width; ++x) ramp.at<std::uint8_t>(0, x) = static_cast<std::uint8_t>(width > 1 ? 255 * x / (width - 1) : 0);
  cv::applyColorMap(ramp, ramp, opencv_colours(colours));
  cv::repeat(ramp, kBar, 1, bar);
  cv::Mat strip(kHeight, width, CV_8UC3, cv::Scalar::all(255));
  bar.copyTo(strip.rowRange(0, kBar));
  const std::string low = fmt::format("{:.3g}", range.low), high = fmt::format("{:.3g}", range.high);
  const auto width_of = [&](const std::string& text) {
    return cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, kFont, 1, nullptr).width;
  };
  if (width_of(low) + width_of(high) + 12 > width) return strip;
  const auto write = [&](const std::string& text, int x) {
    cv::putText(strip, text, {x, kHeight - 4}, cv::FONT_HERSHEY_SIMPLEX, kFont, cv::Scalar::all(0), 1, cv::LINE_AA);
  };
  write(low, 2);
  write(high, width - width_of(high) - 2);
  return strip;
}

}  // namespace

cv::Mat missing(const cv::Mat& heat) {
  require_heat(heat);
  cv::Mat mask(heat.size(), CV_8U);
  for (int y = 0; y < heat.rows; ++y)
    for (int x = 0; x < heat.cols; ++x) mask.at<std::uint8_t>(y, x) = std::isnan(heat.at<float>(y, x)) ? 255 : 0;
  return mask;
}

HeatRange percentile_range(const cv::Mat& heat, double low, double high) {
  require_heat(heat);
  check(0 <= low && low <= high && high <= 100, "heat map: expected percentiles 0 <= low <= high <= 100, got ", low, " and ",
        high);
  std::vector<float> values = finite_values(heat);
  if (values.empty()) return {0, 0};
  const auto at = [&](double percent) {
    const auto nth = values.begin() + std::lround(percent / 100 * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), nth, values.end());
    return *nth;
  };
  return {at(low), at(high)};
}

Image heat_overlay(const Image& image, const cv::Mat& heat, const OverlayOptions& options) {
  require_heat(heat);
  check(heat.size() == image.pixels.size(), "heat map: expected a map of the picture's ", image.pixels.cols, "x",
        image.pixels.rows, ", got ", heat.cols, "x", heat.rows);
  check(0 <= options.opacity && options.opacity <= 1, "heat map: expected an opacity of 0 to 1, got ", options.opacity);
  const HeatRange range = percentile_range(heat, options.low, options.high);
  cv::Mat colours, out;
  cv::applyColorMap(scaled<std::uint8_t>(heat, range, 255), colours, opencv_colours(options.colours));
  const cv::Mat grey = grey_picture(image);
  cv::addWeighted(colours, options.opacity, grey, 1 - options.opacity, 0, out);
  grey.copyTo(out, missing(heat));
  if (options.legend) cv::vconcat(out, legend_strip(out.cols, range, options.colours), out);
  return {out, false, {}};
}

void write_heat_png(const std::filesystem::path& file, const cv::Mat& heat) {
  require_heat(heat);
  const HeatRange range = percentile_range(heat, 0, 100);
  const Image image{scaled<std::uint16_t>(heat, range, 65535), true, {}};
  const std::string facts =
      nlohmann::json{{"min", range.low}, {"max", range.high}, {"width", heat.cols}, {"height", heat.rows}}.dump() + "\n";
  std::filesystem::path beside = file;
  beside += ".json";
  const std::vector<std::uint8_t> png = encode_image(image, "png");
  write_file_atomically(beside, facts.data(), facts.size());  // first: a picture without its scale means nothing
  write_file_atomically(file, png.data(), png.size());
}

void write_heat_npy(const std::filesystem::path& file, const cv::Mat& heat) {
  require_heat(heat);
  // Format 1.0: magic, version, length of the header, the header padded so that the values begin at a multiple of 64.
  const std::string facts = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", heat.rows, heat.cols);
  constexpr std::size_t kBefore = 10;
  const std::size_t header = (kBefore + facts.size() + 1 + 63) / 64 * 64 - kBefore;
  std::vector<std::uint8_t> bytes = {
      0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, static_cast<std::uint8_t>(header & 255), static_cast<std::uint8_t>(header >> 8)};
  bytes.insert(bytes.end(), facts.begin(), facts.end());
  bytes.resize(kBefore + header - 1, ' ');
  bytes.push_back('\n');
  const std::size_t row = static_cast<std::size_t>(heat.cols) * sizeof(float);
  const std::size_t values = bytes.size();
  bytes.resize(values + row * static_cast<std::size_t>(heat.rows));
  for (int y = 0; y < heat.rows; ++y) std::memcpy(bytes.data() + values + row * static_cast<std::size_t>(y), heat.ptr(y), row);
  write_file_atomically(file, bytes.data(), bytes.size());
}

}  // namespace fovea
