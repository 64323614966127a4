#include "datasets/boxes/augment.hpp"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "datasets/augment/mix.hpp"
#include "datasets/boxes/augment/copy_paste.hpp"
#include "datasets/boxes/augment/mosaic.hpp"
#include "datasets/boxes/augment/view.hpp"

namespace fovea {
namespace {

constexpr Args::Range kShare{0, 1};

void read_places(Args& args, BoxAugment& a) {
  const auto scale =
      args.numbers("scale", {a.scale_low, a.scale_high}, "size of the content relative to what `preprocess` makes of it");
  check(scale.size() == 2 && scale[0] >= 0.01 && scale[0] <= scale[1] && scale[1] <= 100, args.where(),
        ": scale: expected [low, high] from 0.01 to 100");
  a.scale_low = scale[0], a.scale_high = scale[1];
  a.aspect = args.get("aspect", a.aspect, "how much wider or higher, 0.2: up to 1.2 times", {0, 10});
  a.translate = args.get("translate", a.translate, "0: content in the middle, 1: anywhere, which crops what is larger", kShare);
  a.min_visible = args.get("min_visible", a.min_visible, "objects of which a crop leaves a smaller share are ignored", kShare);
  a.flip = args.get("flip", a.flip, "probability of a mirror image, also where there is no `augment`", kShare);
  a.flip_vertical = args.get("flip_vertical", a.flip_vertical, "probability of turning upside down", kShare);
  a.rotate90 = args.get("rotate90", a.rotate90, "probability of a turn by 90, 180 or 270 degrees", kShare);
}

void read_colours(Args& args, BoxAugment& a) {
  read_colour_jitter(args, a.colour);
  a.blur = args.get("blur", a.blur, "largest standard deviation of a Gaussian blur, in pixels", {0, 10});
  a.noise = args.get("noise", a.noise, "largest standard deviation of noise, in 8-bit levels", {0, 100});
}

void check_picture(const BoxPicture& picture) {
  check(!picture.pixels.empty() && (picture.pixels.type() == CV_8UC1 || picture.pixels.type() == CV_8UC3),
        "augment: expected an 8-bit grey or BGR image");
}

BoxPicture padding(const Preprocess& p) {
  check(p.width > 0 && p.height > 0, "augment: expected a network's input of a given size, got ", p.width, "x", p.height);
  return {cv::Mat(p.height, p.width, CV_8UC3, padding_colour(p)), {}};
}

void add_whole(BoxPicture& canvas, const BoxPicture& picture, const Preprocess& p, const BoxAugment& a, Random& random) {
  add_view(canvas, picture, draw_view(picture, cv::Rect({0, 0}, canvas.pixels.size()), p, a, random), a, random);
}

// Neither of the two becomes so faint that its objects could not be found.
void mix_in(BoxPicture& canvas, const BoxPicture& other, const BoxAugment& a, Random& random) {
  const double keep = std::clamp(beta(a.mixup_alpha, random), 0.25, 0.75);
  cv::addWeighted(canvas.pixels, keep, other.pixels, 1 - keep, 0, canvas.pixels);
  canvas.annotations.insert(canvas.annotations.end(), other.annotations.begin(), other.annotations.end());
}

void blur(cv::Mat& pixels, double most, Random& random) {
  constexpr double kSharp = 0.1;  // below it every pixel stays as it is
  const double sigma = most * random.uniform();
  if (sigma < kSharp) return;
  const int side = 2 * static_cast<int>(std::ceil(3 * sigma)) + 1;
  cv::GaussianBlur(pixels, pixels, {side, side}, sigma, sigma, cv::BORDER_REFLECT_101);
}

// OpenCV's generator, seeded by ours, draws a whole picture ten times faster.
void add_noise(cv::Mat& pixels, double most, Random& random) {
  const double sigma = most * random.uniform();
  cv::RNG fast(random.next());
  cv::Mat noise(pixels.size(), CV_16SC3);
  fast.fill(noise, cv::RNG::NORMAL, 0, sigma);
  cv::add(pixels, noise, pixels, cv::noArray(), CV_8U);
}

}  // namespace

BoxAugment read_box_augment(Args& args) {
  BoxAugment a;
  a.mosaic = args.get("mosaic", a.mosaic, "probability of four pictures around a random centre", kShare);
  a.copy_paste = args.get("copy_paste", a.copy_paste, "probability of objects pasted from another picture", kShare);
  a.mixup = args.get("mixup", a.mixup, "probability of another picture blended in, the boxes of both stay", kShare);
  a.mixup_alpha = args.get("mixup_alpha", a.mixup_alpha, "of the Beta distribution of its share", {0.01, 1000});
  read_places(args, a);
  read_colours(args, a);
  return a;
}

BoxPicture augmented(const BoxPicture& picture, const AnotherPicture& another, const Preprocess& p, const BoxAugment& a,
                     Random& random) {
  check(another || !a.takes_others(), "augment: mosaic, copy_paste and mixup need other pictures");
  const AnotherPicture checked = [&](Random& r) {
    BoxPicture other = another(r);
    check_picture(other);
    return other;
  };
  check_picture(picture);
  BoxPicture out = padding(p);
  if (random.uniform() < a.mosaic) add_mosaic(out, picture, checked, p, a, random);
  else add_whole(out, picture, p, a, random);
  if (random.uniform() < a.copy_paste) paste_objects(out, checked(random), p, a, random);
  if (random.uniform() < a.mixup) {
    BoxPicture other = padding(p);
    add_whole(other, checked(random), p, a, random);
    mix_in(out, other, a, random);
  }
  if (a.blur > 0) blur(out.pixels, a.blur, random);
  if (a.noise > 0) add_noise(out.pixels, a.noise, random);
  return out;
}

std::vector<Annotation> to_network(const std::vector<Annotation>& annotations, const Geometry& g) {
  std::vector<Annotation> out;
  for (const Annotation& one : annotations) {
    const Box seen = common(to_network(one.box, g), to_box(cv::Rect2d(g.content)));
    if (!is_valid(seen)) continue;
    Annotation& moved = out.emplace_back(one);
    moved.box = seen;
    if (moved.area >= 0) moved.area *= seen.area() / one.box.area();
  }
  return out;
}

}  // namespace fovea
