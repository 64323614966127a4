#include "datasets/augment.hpp"

#include <cmath>
#include <opencv2/imgproc.hpp>

#include "datasets/augment/colour.hpp"
#include "datasets/augment/transforms.hpp"
#include "datasets/preprocess.hpp"
#include "datasets/resample.hpp"
#include "modules/core/whole.hpp"

namespace fovea {
namespace {

constexpr Args::Range kShare{0, 1};

double between(double low, double high, Random& random) { return low + (high - low) * random.uniform(); }

void range(Args& a, const std::string& key, double& low, double& high, const std::string& text) {
  const auto v = a.numbers(key, {low, high}, text);
  check(v.size() == 2 && v[0] > 0 && v[0] <= v[1], a.where(), ": ", key, ": expected [low, high] above 0");
  low = v[0], high = v[1];
}

// Only what is shown is resized; shrinking takes means, so that nothing aliases.
cv::Mat resized(const cv::Mat& area, cv::Size size) {
  cv::Mat out;
  const bool shrinks = area.cols >= size.width && area.rows >= size.height;
  cv::resize(area, out, size, 0, 0, shrinks ? cv::INTER_AREA : cv::INTER_LINEAR);
  return out;
}

cv::Mat in_colour(const cv::Mat& image) {
  if (image.channels() == 3) return image;
  cv::Mat bgr;
  cv::cvtColor(image, bgr, image.channels() == 1 ? cv::COLOR_GRAY2BGR : cv::COLOR_BGRA2BGR);
  return bgr;
}

void read_strong(Args& args, Augment& a) {
  a.rand_augment = args.get("rand_augment", a.rand_augment, "how many changes of RandAugment");
  a.magnitude = args.get("magnitude", a.magnitude, "of RandAugment, 0 to 30");
  a.erase = args.get("erase", a.erase, "probability of random erasing", kShare);
  a.mixup = args.get("mixup", a.mixup, "alpha; 0: never");
  a.cutmix = args.get("cutmix", a.cutmix, "alpha; 0: never");
  a.mix_probability = args.get("mix_probability", a.mix_probability, "share of the pictures that are mixed", kShare);
  check(a.rand_augment >= 0 && a.rand_augment <= 16 && a.magnitude >= 0 && a.magnitude <= 30, args.where(),
        ": expected rand_augment from 0 to 16 and magnitude from 0 to 30");
  check(a.mixup >= 0 && a.mixup <= 100 && a.cutmix >= 0 && a.cutmix <= 100, args.where(),
        ": mixup and cutmix: expected alphas from 0 to 100");
}

}  // namespace

void read_colour_jitter(Args& args, Augment& a) {
  a.brightness = args.get("brightness", a.brightness, "jitter", kShare);
  a.contrast = args.get("contrast", a.contrast, "jitter", kShare);
  a.saturation = args.get("saturation", a.saturation, "jitter", kShare);
  a.hue = args.get("hue", a.hue, "jitter; 0.5 is half a turn either way", {0, 0.5});
  a.grey = args.get("grey", a.grey, "probability of losing all colour", kShare);
}

Augment read_augment(const Yaml& y) {
  Args args = y.args();
  const Augment a = read_augment(args);
  args.done();
  return a;
}

Augment read_augment(Args& args) {
  Augment a;
  a.crop = args.get("crop", a.crop,
                    "random resized crop, also where there is no `augment`; without it pictures are fitted as in validation");
  range(args, "crop_scale", a.scale_low, a.scale_high, "share of the area (torchvision: [0.08, 1])");
  check(a.scale_high <= 1, args.where(), ": crop_scale: expected shares up to 1");
  range(args, "crop_ratio", a.ratio_low, a.ratio_high, "width / height");
  a.flip = args.get("flip", a.flip, "probability of a mirror image, also where there is no `augment`", kShare);
  a.flip_vertical = args.get("flip_vertical", a.flip_vertical, "probability of turning upside down", kShare);
  read_colour_jitter(args, a);
  read_strong(args, a);
  return a;
}

cv::Rect random_crop(cv::Size size, const Augment& a, Random& random) {
  const double area = static_cast<double>(size.width) * size.height, low = std::log(a.ratio_low), high = std::log(a.ratio_high);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double wanted = area * between(a.scale_low, a.scale_high, random), ratio = std::exp(between(low, high, random));
    constexpr double kAny = 1e9;  // beyond every picture
    const int w = whole<int>(std::min(kAny, std::round(std::sqrt(wanted * ratio))), "augment: a crop"),
              h = whole<int>(std::min(kAny, std::round(std::sqrt(wanted / ratio))), "augment: a crop");
    if (w < 1 || h < 1 || w > size.width || h > size.height) continue;
    const int x = static_cast<int>(random.below(size.width - w + 1)), y = static_cast<int>(random.below(size.height - h + 1));
    return {x, y, w, h};
  }
  // A very long picture: the middle, as close to the wanted proportions as it allows.
  const double ratio = static_cast<double>(size.width) / size.height;
  int w = size.width, h = size.height;
  if (ratio < a.ratio_low) h = whole<int>(std::clamp(std::round(w / a.ratio_low), 1.0, static_cast<double>(h)), "augment: ratio");
  if (ratio > a.ratio_high)
    w = whole<int>(std::clamp(std::round(h * a.ratio_high), 1.0, static_cast<double>(w)), "augment: ratio");
  return {(size.width - w) / 2, (size.height - h) / 2, w, h};
}

cv::Scalar padding_colour(const Preprocess& p) {
  check(p.channels == 1 || p.channels == 3, "augment: expected a network's input of 1 or 3 channels, got ", p.channels);
  cv::Scalar bgr;
  for (std::size_t c = 0; c < 3; ++c) {
    const std::size_t from = p.channels == 1 ? 0 : p.colour == Preprocess::Colour::rgb ? 2 - c : c;
    bgr[static_cast<int>(c)] = 255 * p.pad.at(from);
  }
  return bgr;
}

cv::Mat fitted(const cv::Mat& image, const Preprocess& p) {
  const Geometry g = geometry_of(image.size(), p);
  const cv::Rect window = g.content - cv::Point(g.shift_x, g.shift_y);
  cv::Mat pixels, out;
  resample(in_colour(image), g.resized(), window, p.interpolation).convertTo(pixels, CV_8U);
  if (g.content.size() == g.network) return pixels;
  out = cv::Mat(g.network, CV_8UC3, padding_colour(p));
  pixels.copyTo(out(g.content));
  return out;
}

cv::Mat augmented(const cv::Mat& image, const Preprocess& p, const Augment& a, Random& random) {
  check(!image.empty() && image.depth() == CV_8U, "augment: expected an 8-bit image");
  cv::Mat out = a.crop ? in_colour(resized(image(random_crop(image.size(), a, random)), {p.width, p.height})) : fitted(image, p);
  if (random.uniform() < a.flip) cv::flip(out, out, 1);
  if (random.uniform() < a.flip_vertical) cv::flip(out, out, 0);
  jitter_colours(out, a, random);
  for (int i = 0; i < a.rand_augment; ++i) apply_random_transform(out, a.magnitude / 30, random);
  return out;
}

}  // namespace fovea
