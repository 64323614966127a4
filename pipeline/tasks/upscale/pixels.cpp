#include "pipeline/tasks/upscale/pixels.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "modules/core/error.hpp"
#include "modules/core/not_finite.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

using Colour = std::array<float, 3>;  // RGB
constexpr std::int64_t kRows = 16;    // rows worth a thread

// Calls f(T{}) with the type of one channel.
template <class F>
decltype(auto) dispatch_depth(const cv::Mat& pixels, F&& f) {
  if (pixels.depth() == CV_8U) return f(std::uint8_t{});
  if (pixels.depth() == CV_16U) return f(std::uint16_t{});
  fail("upscale: expected 8 or 16 bit pixels, got OpenCV type ", pixels.type());
}

template <class T>
constexpr float kMost = static_cast<float>(std::numeric_limits<T>::max());

// One pixel of grey, BGR or BGRA as straight RGB and alpha.
template <class T>
struct Pixel {
  const T* at;
  int channels;

  Colour colour() const {
    if (channels == 1) return {at[0] / kMost<T>, at[0] / kMost<T>, at[0] / kMost<T>};
    return {at[2] / kMost<T>, at[1] / kMost<T>, at[0] / kMost<T>};
  }
  float alpha() const { return channels == 4 ? at[3] / kMost<T> : 1.0f; }
};

template <class T>
Pixel<T> pixel(const cv::Mat& m, int y, int x) {
  return {m.ptr<T>(y) + std::ptrdiff_t{x} * m.channels(), m.channels()};
}

cv::Rect grown(cv::Rect area, int by, cv::Size limit) {
  return cv::Rect(area.x - by, area.y - by, area.width + 2 * by, area.height + 2 * by) & cv::Rect({0, 0}, limit);
}

// What an input pixel's 3x3 neighbourhood allows its outputs to be.
struct Bounds {
  float least = 1, most = 0;  // alpha
  Colour low{1, 1, 1}, high{0, 0, 0};
};

template <class T>
Bounds bounds_at(const cv::Mat& m, int y, int x) {
  Bounds b;
  const cv::Rect near = grown({x, y, 1, 1}, 1, m.size());
  for (int v = near.y; v < near.y + near.height; ++v) {
    for (int u = near.x; u < near.x + near.width; ++u) {
      const Pixel<T> p = pixel<T>(m, v, u);
      b.least = std::min(b.least, p.alpha()), b.most = std::max(b.most, p.alpha());
      if (p.alpha() == 0) continue;  // the colour of what nobody sees is arbitrary
      const Colour c = p.colour();
      for (std::size_t i = 0; i < 3; ++i) b.low[i] = std::min(b.low[i], c[i]), b.high[i] = std::max(b.high[i], c[i]);
    }
  }
  return b;
}

// Whether every pixel within kAlphaReach is opaque, for each pixel of the core.
template <class T>
cv::Mat far_from_transparency(const cv::Mat& m, cv::Rect core) {
  const cv::Rect near = grown(core, kAlphaReach, m.size());
  cv::Mat opaque(near.size(), CV_8U);
  for (int y = 0; y < near.height; ++y)
    for (int x = 0; x < near.width; ++x) opaque.at<std::uint8_t>(y, x) = pixel<T>(m, near.y + y, near.x + x).alpha() == 1;
  constexpr int side = 2 * kAlphaReach + 1;
  cv::erode(opaque, opaque, cv::Mat::ones(side, side, CV_8U));
  return opaque(core - near.tl());
}

template <class T>
T quantise(float v) {
  return static_cast<T>(std::lround(std::clamp(v, 0.0f, 1.0f) * kMost<T>));
}

float mean_of(const float* v) { return (v[0] + v[1] + v[2]) / 3; }

// Straight colour and alpha from the network's premultiplied colour and its alpha, near transparency.
template <class T>
std::pair<Colour, float> unpremultiplied(Colour colour, float alpha, const Bounds& bounds) {
  if (bounds.most == 0) return {Colour{}, 0.0f};
  const bool solid = bounds.least == 1;
  if (!solid && quantise<T>(alpha) == 0) return {Colour{}, 0.0f};
  // The unclamped alpha: where it overshoots at an edge, so does the colour.
  for (std::size_t i = 0; i < 3; ++i) {
    colour[i] /= std::max(alpha, 1 / kMost<T>);
    if (!solid) colour[i] = std::clamp(colour[i], bounds.low[i], bounds.high[i]);
  }
  return {colour, solid ? 1.0f : alpha};
}

// Writes the output pixels of one core.
template <class T>
class Writer {
 public:
  Writer(cv::Mat& to, const Image& input, cv::Rect core, int scale, const cv::Mat& colour, const cv::Mat& alpha)
      : to_(to),
        from_(input.pixels),
        core_(core),
        scale_(scale),
        grey_(input.grey || input.pixels.channels() == 1),
        colour_(colour),
        alpha_(alpha),
        plain_(alpha.empty() ? cv::Mat(core.size(), CV_8U, cv::Scalar(1)) : far_from_transparency<T>(from_, core)) {}

  // All outputs of one row of input pixels; false when a value is not finite.
  bool row(int y) const {
    bool finite = true;
    for (int x = 0; x < core_.width; ++x) {
      const bool plain = plain_.template at<std::uint8_t>(y, x) != 0;
      const Bounds bounds = plain ? Bounds{} : bounds_at<T>(from_, core_.y + y, core_.x + x);
      const float own_alpha = pixel<T>(from_, core_.y + y, core_.x + x).alpha();
      for (int v = y * scale_; v < (y + 1) * scale_; ++v)
        for (int u = x * scale_; u < (x + 1) * scale_; ++u) finite &= plain ? put_plain(v, u, own_alpha) : put_edge(v, u, bounds);
    }
    return finite;
  }

 private:
  // Without transparency in reach, or with nothing else.
  bool put_plain(int v, int u, float own_alpha) const {
    const float* c = colour_.ptr<float>(v) + std::ptrdiff_t{3} * u;
    put(v, u, own_alpha > 0 ? Colour{c[0], c[1], c[2]} : Colour{}, own_alpha);
    return std::isfinite(c[0]) && std::isfinite(c[1]) && std::isfinite(c[2]);
  }

  bool put_edge(int v, int u, const Bounds& bounds) const {
    const float* c = colour_.ptr<float>(v) + std::ptrdiff_t{3} * u;
    const float a = mean_of(alpha_.ptr<float>(v) + std::ptrdiff_t{3} * u);
    const bool finite = std::isfinite(c[0]) && std::isfinite(c[1]) && std::isfinite(c[2]) && std::isfinite(a);
    if (!finite) return false;
    const auto [straight, opacity] = unpremultiplied<T>({c[0], c[1], c[2]}, a, bounds);
    put(v, u, straight, opacity);
    return true;
  }

  void put(int v, int u, Colour c, float alpha) const {
    const int channels = to_.channels();
    T* to = to_.ptr<T>(core_.y * scale_ + v) + std::ptrdiff_t{core_.x * scale_ + u} * channels;
    if (grey_) c.fill(mean_of(c.data()));
    if (channels == 1) {
      to[0] = quantise<T>(c[0]);
      return;
    }
    for (std::size_t i = 0; i < 3; ++i) to[i] = quantise<T>(c[2 - i]);
    if (channels == 4) to[3] = quantise<T>(alpha);
  }

  cv::Mat& to_;
  const cv::Mat& from_;
  cv::Rect core_;
  int scale_;
  bool grey_;
  const cv::Mat &colour_, &alpha_;
  cv::Mat plain_;  // CV_8U over the core
};

// f(y, row of RGB floats) for each row of a new window.
template <class F>
cv::Mat filled(cv::Rect window, const F& f) {
  cv::Mat out(window.size(), CV_32FC3);
  parallel_for(window.height, kRows, [&](std::int64_t begin, std::int64_t end) {
    for (auto y = static_cast<int>(begin); y < end; ++y) f(y, out.ptr<float>(y));
  });
  return out;
}

}  // namespace

bool has_alpha(const Image& image) { return image.pixels.channels() == 4; }

AlphaRange alpha_range(const Image& image, cv::Rect area) {
  if (!has_alpha(image)) return {};
  const cv::Rect near = grown(area, kAlphaReach, image.pixels.size());
  return dispatch_depth(image.pixels, [&](auto t) {
    AlphaRange range{1, 0};
    for (int y = near.y; y < near.y + near.height; ++y)
      for (int x = near.x; x < near.x + near.width; ++x) {
        const float alpha = pixel<decltype(t)>(image.pixels, y, x).alpha();
        range.least = std::min(range.least, alpha), range.most = std::max(range.most, alpha);
      }
    return range;
  });
}

cv::Mat colour_window(const Image& image, cv::Rect window) {
  return dispatch_depth(image.pixels, [&](auto t) {
    return filled(window, [&](int y, float* to) {
      for (int x = 0; x < window.width; ++x, to += 3) {
        const auto p = pixel<decltype(t)>(image.pixels, window.y + y, window.x + x);
        const Colour c = p.colour();
        const float alpha = p.alpha();
        for (std::size_t i = 0; i < 3; ++i) to[i] = c[i] * alpha;
      }
    });
  });
}

cv::Mat alpha_window(const Image& image, cv::Rect window) {
  return dispatch_depth(image.pixels, [&](auto t) {
    return filled(window, [&](int y, float* to) {
      for (int x = 0; x < window.width; ++x, to += 3)
        std::fill_n(to, 3, pixel<decltype(t)>(image.pixels, window.y + y, window.x + x).alpha());
    });
  });
}

Image enlarged_like(const Image& image, int scale) {
  const cv::Mat& from = image.pixels;
  check(!from.empty() && from.dims == 2, "upscale: expected an image, got none");
  check(from.channels() == 1 || from.channels() == 3 || from.channels() == 4, "upscale: expected 1, 3 or 4 channels, got ",
        from.channels());
  check(from.depth() == CV_8U || from.depth() == CV_16U, "upscale: expected 8 or 16 bit pixels, got OpenCV type ", from.type());
  const auto most = std::numeric_limits<int>::max() / scale;
  check(from.cols <= most && from.rows <= most, "upscale: ", from.cols, "x", from.rows, " times ", scale, " is too large");
  Image out = {cv::Mat(from.rows * scale, from.cols * scale, from.type()), image.grey, image.icc};
  return out;
}

void store_core(Image& output, const Image& input, cv::Rect core, int scale, const cv::Mat& colour, const cv::Mat& alpha) {
  dispatch_depth(input.pixels, [&](auto t) {
    const Writer<decltype(t)> writer(output.pixels, input, core, scale, colour, alpha);
    std::atomic<bool> finite{true};
    parallel_for(core.height, kRows, [&](std::int64_t begin, std::int64_t end) {
      for (auto y = static_cast<int>(begin); y < end; ++y)
        if (!writer.row(y)) finite = false;
    });
    if (!finite) throw NotFinite("upscale: the network gave values that are not finite");
  });
}

}  // namespace fovea
