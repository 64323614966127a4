#include "datasets/degrade.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "datasets/codecs/codec.hpp"
#include "datasets/resize.hpp"

namespace fovea {
namespace {

constexpr double kSharp = 0.1;  // a Gaussian below this leaves every pixel as it is
constexpr int kNoJpeg = 101;

double drawn(const Range& r, Random& random) { return r.low + (r.high - r.low) * random.uniform(); }

Range range(Args& a, const std::string& key, const Range& fallback, double least, double most, const std::string& text) {
  const auto v = a.numbers(key, {fallback.low, fallback.high}, text);
  check(v.size() == 2 && least <= v[0] && v[0] <= v[1] && v[1] <= most, a.where(), ": ", key, ": expected [low, high] from ",
        least, " to ", most);
  return {v[0], v[1]};
}

double share(Args& a, const std::string& key, double fallback, const std::string& text) {
  const double v = a.get(key, fallback, text);
  check(v >= 0 && v <= 1, a.where(), ": ", key, ": expected a number from 0 to 1, got ", v);
  return v;
}

// Of the density exp(-x' C^-1 x / 2), where C has the deviations `along` and `across` of an axis at `angle`; its sum is 1.
cv::Mat gaussian_kernel(double along, double across, double angle) {
  const int half = static_cast<int>(std::ceil(3 * std::max(along, across)));
  const double c = std::cos(angle), s = std::sin(angle);
  cv::Mat kernel(2 * half + 1, 2 * half + 1, CV_32F);
  for (int y = -half; y <= half; ++y)
    for (int x = -half; x <= half; ++x) {
      const double u = (c * x + s * y) / along, v = (c * y - s * x) / across;
      kernel.at<float>(y + half, x + half) = static_cast<float>(std::exp(-(u * u + v * v) / 2));
    }
  kernel /= cv::sum(kernel)[0];
  return kernel;
}

void blur(cv::Mat& image, const Degrade& d, Random& random) {
  if (random.uniform() >= d.blur_share) return;
  const double along = drawn(d.blur, random), across = drawn(d.blur, random), angle = random.uniform() * std::numbers::pi;
  if (random.uniform() < d.anisotropic) {
    if (std::max(along, across) < kSharp) return;
    const cv::Mat kernel = gaussian_kernel(std::max(along, kSharp), std::max(across, kSharp), angle);
    cv::filter2D(image, image, CV_32F, kernel, {-1, -1}, 0, cv::BORDER_REFLECT_101);
  } else if (along >= kSharp) {
    const int side = 2 * static_cast<int>(std::ceil(3 * along)) + 1;
    cv::GaussianBlur(image, image, {side, side}, along, along, cv::BORDER_REFLECT_101);
  }
}

cv::Mat shrunk(const cv::Mat& image, int scale, const Degrade& d, Random& random) {
  const std::string& kind = d.resize[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(d.resize.size())))];
  const cv::Size size(image.cols / scale, image.rows / scale);
  if (kind == "bicubic") return imresize(image, size, Edge::repeat);
  cv::Mat out;
  cv::resize(image, out, size, 0, 0, kind == "area" ? cv::INTER_AREA : cv::INTER_LINEAR);
  return out;
}

void add_noise(cv::Mat& image, const Degrade& d, Random& random) {
  const bool gaussian = d.noise.high > 0, photons = d.poisson.high > 0;
  if ((!gaussian && !photons) || random.uniform() >= d.noise_share) return;
  const bool counts = photons && (!gaussian || random.uniform() < 0.5);
  const double sigma = drawn(counts ? d.poisson : d.noise, random);
  const bool grey = random.uniform() < d.grey_noise;
  constexpr double kLeast = 0.01;  // levels; less is not seen in 8 bits, and would be more photons than poisson() counts
  if (sigma < kLeast) return;
  // Of n photons at white the deviation is the root of n: that of 255 levels is sigma.
  const double at_white = (255 / sigma) * (255 / sigma);
  const auto noise_at = [&](double level) {
    if (!counts) return sigma * random.normal();
    const double mean = std::clamp(level, 0.0, 255.0) / 255 * at_white;
    return (poisson(mean, random) - mean) * 255 / at_white;
  };
  for (int y = 0; y < image.rows; ++y) {
    auto* row = image.ptr<cv::Vec3f>(y);
    for (int x = 0; x < image.cols; ++x) {
      cv::Vec3f& p = row[x];
      if (grey) {
        const auto n = static_cast<float>(noise_at(0.114 * p[0] + 0.587 * p[1] + 0.299 * p[2]));
        for (int c = 0; c < 3; ++c) p[c] += n;
      } else {
        for (int c = 0; c < 3; ++c) p[c] += static_cast<float>(noise_at(p[c]));
      }
    }
  }
}

cv::Mat through_jpeg(const cv::Mat& image, const Degrade& d, Random& random) {
  if (d.jpeg.low >= kNoJpeg || random.uniform() >= d.jpeg_share) return image;
  const auto kinds = static_cast<std::int64_t>(d.jpeg.high - d.jpeg.low) + 1;
  const int quality = static_cast<int>(d.jpeg.low) + static_cast<int>(random.below(kinds));
  return codec::decode_jpeg(codec::encode_jpeg_420({image, false, {}}, quality), "a training patch").image.pixels;
}

}  // namespace

double poisson(double mean, Random& random) {
  check(mean >= 0 && mean < 1e9, "poisson: expected a mean from 0 to 1e9, got ", mean);
  if (mean < 10) {  // Knuth: events until their waiting times fill the unit
    const double end = std::exp(-mean);
    double count = 0;
    for (double product = random.uniform(); product > end; product *= random.uniform()) ++count;
    return count;
  }
  // Hörmann 1993, "The transformed rejection method for generating Poisson random variables": PTRS.
  const double root = std::sqrt(mean), b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b, alpha = 1.1239 + 1.1328 / (b - 3.4),
               r = 0.9277 - 3.6224 / (b - 2), log_mean = std::log(mean);
  while (true) {
    const double u = random.uniform() - 0.5, v = 1 - random.uniform(), us = 0.5 - std::abs(u),
                 k = std::floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= r) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (std::log(v * alpha / (a / (us * us) + b)) <= k * log_mean - mean - std::lgamma(k + 1)) return k;
  }
}

Degrade read_degrade(const Yaml& y) {
  Args args = y.args();
  const Degrade d = read_degrade(args);
  args.done();
  return d;
}

Degrade read_degrade(Args& a) {
  Degrade d;
  d.share = share(a, "share", d.share, "of the patches that are degraded; the others are shrunk bicubically alone");
  d.blur = range(a, "blur", d.blur, 0, 10, "sigmas of the Gaussian kernel, in pixels of the large picture");
  d.blur_share = share(a, "blur_share", d.blur_share, "of the degraded patches");
  d.anisotropic = share(a, "anisotropic", d.anisotropic, "share of the kernels with two sigmas and a direction");
  d.resize = a.list("resize", d.resize, "kinds of shrinking: area, bilinear, bicubic");
  d.noise = range(a, "noise", d.noise, 0, 100, "deviations of Gaussian noise, in 8-bit levels");
  d.poisson = range(a, "poisson", d.poisson, 0, 100, "deviations of Poisson noise at white, in 8-bit levels");
  d.noise_share = share(a, "noise_share", d.noise_share, "of the degraded patches");
  d.grey_noise = share(a, "grey_noise", d.grey_noise, "share of the noise that is the same in all channels");
  d.jpeg = range(a, "jpeg", d.jpeg, 1, kNoJpeg, "qualities of libjpeg, 4:2:0; 101: no JPEG");
  d.jpeg_share = share(a, "jpeg_share", d.jpeg_share, "of the degraded patches");
  check(d.jpeg.low == std::floor(d.jpeg.low) && d.jpeg.high == std::floor(d.jpeg.high) &&
            (d.jpeg.high < kNoJpeg || d.jpeg.low == kNoJpeg),
        a.where(), ": jpeg: expected whole qualities from 1 to 100");
  check(!d.resize.empty(), a.where(), ": resize: expected one kind at least");
  for (const std::string& kind : d.resize)
    check(kind == "area" || kind == "bilinear" || kind == "bicubic", a.where(),
          ": resize: expected area, bilinear or bicubic, got '", kind, "'");
  return d;
}

cv::Mat degraded(const cv::Mat& high, int scale, const Degrade& d, Random& random) {
  check(high.type() == CV_8UC3 && scale > 0 && high.cols % scale == 0 && high.rows % scale == 0 && !high.empty(),
        "degrade: expected 8 bit, three channels and a multiple of ", scale, " pixels, got ", high.cols, "x", high.rows);
  cv::Mat image;
  high.convertTo(image, CV_32F);
  if (d.blur.high >= kSharp) blur(image, d, random);
  image = shrunk(image, scale, d, random);
  add_noise(image, d, random);
  cv::Mat out;
  image.convertTo(out, CV_8U);
  return through_jpeg(out, d, random);
}

}  // namespace fovea
