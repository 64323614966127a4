#include "datasets/scans/window.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "modules/core/error.hpp"

namespace fovea {
namespace {

struct Preset {
  const char* name;
  double width, level;  // HU
};
constexpr Preset kPresets[] = {{"lung", 1500, -600}, {"bone", 2000, 300},      {"brain", 80, 40},
                               {"abdomen", 400, 40}, {"mediastinum", 350, 50}, {"liver", 150, 30}};

std::string preset_names() {
  std::string names;
  for (const Preset& p : kPresets) names += std::string(names.empty() ? "" : ", ") + p.name;
  return names;
}

std::optional<double> number_in(std::string_view text) {
  double v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(v)) return std::nullopt;
  return v;
}

// Between 0 and 1.
double share(const Window& w, double v) {
  switch (w.function) {
    case Window::Function::sigmoid: return 1 / (1 + std::exp(-4 * (v - w.level) / w.width));
    case Window::Function::linear_exact: return (v - w.level) / w.width + 0.5;
    case Window::Function::linear: break;
  }
  if (w.width <= 1) return v > w.level - 0.5 ? 1 : 0;  // a threshold: the formula's limit
  return (v - (w.level - 0.5)) / (w.width - 1) + 0.5;
}

template <class ToShare>
cv::Mat as_bytes(const cv::Mat& values, bool inverted, const ToShare& to_share) {
  check(values.type() == CV_32FC1, "window: expected 32-bit values of one channel, got type ", values.type());
  cv::Mat out(values.size(), CV_8UC1);
  for (int y = 0; y < values.rows; ++y)
    for (int x = 0; x < values.cols; ++x) {
      const double v = values.at<float>(y, x);
      const double s = std::isnan(v) ? 0 : std::clamp(to_share(v), 0.0, 1.0);
      out.at<std::uint8_t>(y, x) = static_cast<std::uint8_t>(std::lround(255 * (inverted && !std::isnan(v) ? 1 - s : s)));
    }
  return out;
}

}  // namespace

std::optional<Window> parse_window(const std::string& text) {
  if (text == "auto") return std::nullopt;
  for (const Preset& p : kPresets)
    if (text == p.name) return Window{p.level, p.width, Window::Function::linear, text};
  const auto colon = text.find(':');
  check(colon != std::string::npos, "window: expected WIDTH:LEVEL, auto, or one of ", preset_names(), "; got '", text, "'");
  const auto width = number_in(std::string_view(text).substr(0, colon)),
             level = number_in(std::string_view(text).substr(colon + 1));
  check(width && level && *width >= 1, "window: expected WIDTH:LEVEL with a width of 1 or more, got '", text, "'");
  return Window{*level, *width, Window::Function::linear, {}};
}

Window auto_window(const cv::Mat& values, std::optional<double> padding) {
  std::vector<float> sorted;
  sorted.reserve(values.total());
  for (int y = 0; y < values.rows; ++y)
    for (int x = 0; x < values.cols; ++x)
      if (const float v = values.at<float>(y, x); std::isfinite(v) && (!padding || v != static_cast<float>(*padding)))
        sorted.push_back(v);
  if (sorted.empty()) return {0, 1, Window::Function::linear_exact, {}};
  const auto percentile = [&](double p) {
    const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(p * static_cast<double>(sorted.size() - 1));
    std::nth_element(sorted.begin(), at, sorted.end());
    return static_cast<double>(*at);
  };
  double low = percentile(0.01), high = percentile(0.99);
  if (low == high) low = *std::min_element(sorted.begin(), sorted.end()), high = *std::max_element(sorted.begin(), sorted.end());
  return {(low + high) / 2, std::max(high - low, 1e-6), Window::Function::linear_exact, {}};
}

cv::Mat windowed(const cv::Mat& values, const Window& window, bool inverted) {
  check(window.width > 0 && std::isfinite(window.width) && std::isfinite(window.level), "window: expected a width over 0, got ",
        window.width);
  return as_bytes(values, inverted, [&](double v) { return share(window, v); });
}

cv::Mat windowed(const cv::Mat& values, const VoiLut& lut, bool inverted) {
  check(!lut.values.empty() && lut.bits >= 1 && lut.bits <= 16, "window: expected a lookup table of 1 to 16 bits, got ",
        lut.values.size(), " values of ", lut.bits);
  const double top = (1 << lut.bits) - 1, last = static_cast<double>(lut.values.size() - 1);
  return as_bytes(values, inverted, [&](double v) {
    return lut.values[static_cast<std::size_t>(std::clamp(std::round(v - lut.first), 0.0, last))] / top;
  });
}

cv::Mat shown(const Scan& scan, int frame, const std::optional<Window>& wish) {
  return shown(scan, frame, scan.frame(frame), wish);
}

cv::Mat shown(const Scan& scan, int frame, const cv::Mat& values, const std::optional<Window>& wish) {
  if (values.channels() == 3) {
    cv::Mat bytes;
    values.convertTo(bytes, CV_8U, values.depth() == CV_16U ? 1 / 257.0 : 1);
    return bytes;
  }
  const bool inverted = scan.info().inverted;
  if (wish) return windowed(values, *wish, inverted);
  if (const auto lut = scan.voi_lut()) return windowed(values, *lut, inverted);
  const FrameInfo info = scan.frame_info(frame);
  return windowed(values, info.windows.empty() ? auto_window(values, scan.info().padding) : info.windows.front(), inverted);
}

}  // namespace fovea
