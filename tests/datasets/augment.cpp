#include "datasets/augment.hpp"

#include <cmath>
#include <opencv2/imgproc.hpp>

#include "datasets/augment/colour.hpp"
#include "datasets/preprocess.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/images.hpp"

using namespace fovea;
using test::fails_with;

namespace {

Augment read(const std::string& text) { return read_augment(Yaml::parse(text, "r.yaml")); }

Preprocess small() {
  Preprocess p;
  p.height = 24, p.width = 32;
  return p;
}

Augment nothing() {
  Augment a;
  a.crop = false, a.flip = 0;
  return a;
}

cv::Vec3b one_pixel(const cv::Vec3b& colour, const ColourMatrix& m) {
  cv::Mat image(1, 1, CV_8UC3, cv::Scalar(colour));
  transform_colours(image, m);
  return image.at<cv::Vec3b>(0, 0);
}

}  // namespace

TEST_CASE("augment: a recipe's keys, and what is refused") {
  const Augment a = read("crop_scale: [0.08, 1]\ncrop_ratio: [0.5, 2]\nflip: 0\nbrightness: 0.4\nhue: 0.1\ngrey: 0.2\n");
  CHECK((a.scale_low == 0.08 && a.ratio_high == 2 && a.flip == 0 && a.brightness == 0.4 && a.hue == 0.1 && a.grey == 0.2));
  CHECK(!read("crop: false").crop);
  CHECK(fails_with([] { read("brightnes: 1"); }, "did you mean 'brightness'?"));
  CHECK(fails_with([] { read("flip: 1.5"); }, "flip: expected a number from 0 to 1"));
  CHECK(fails_with([] { read("hue: 0.6"); }, "hue"));
  for (const char* range : {"[0.5]", "[0.9, 0.5]", "[0, 1]", "[0.5, 1.5]", "[1, 2, 3]"})
    CHECK(fails_with([&] { read(std::string("crop_scale: ") + range); }, "crop_scale"));
}

TEST_CASE("augment: random crops lie inside, and share and proportions are as asked") {
  Augment a;
  Random random(5);
  double smallest = 1, largest = 0, flattest = 9, tallest = 0;
  for (int i = 0; i < 2000; ++i) {
    const cv::Rect r = random_crop({640, 480}, a, random);
    REQUIRE((r.area() > 0 && (r & cv::Rect(0, 0, 640, 480)) == r));
    const double share = r.area() / (640.0 * 480), ratio = static_cast<double>(r.width) / r.height;
    smallest = std::min(smallest, share), largest = std::max(largest, share);
    flattest = std::min(flattest, ratio), tallest = std::max(tallest, ratio);
  }
  CHECK((smallest > 0.24 && smallest < 0.3 && largest > 0.9));
  CHECK((flattest > 0.74 && flattest < 0.8 && tallest > 1.27 && tallest < 1.35));
  for (const cv::Size s : {cv::Size(1, 1), cv::Size(1000, 3), cv::Size(3, 1000), cv::Size(2, 1)}) {
    const cv::Rect r = random_crop(s, a, random);
    CHECK((r.area() > 0 && (r & cv::Rect({0, 0}, s)) == r));
  }
  CHECK(random_crop({1000, 3}, a, random).width == 4);  // the middle, as wide as 4:3 allows
}

TEST_CASE("augment: without anything random a picture is what validation sees") {
  const cv::Mat image = test::noise(70, 50, CV_8UC3, 4);
  for (const auto r : {Preprocess::Resize::crop, Preprocess::Resize::letterbox, Preprocess::Resize::stretch}) {
    Preprocess p = small();
    p.resize = r;
    Random random(1);
    Tensor batch = Tensor::empty({1, 3, 24, 32}, DType::f32, Layout::channels_last);
    normalise_into(batch, 0, augmented(image, p, nothing(), random), p);
    const auto mine = batch.values(), theirs = preprocess(image, p).tensor.values();
    double worst = 0;
    for (std::size_t i = 0; i < mine.size(); ++i) worst = std::max(worst, std::abs(mine[i] - theirs[i]));
    CHECK(worst < 0.5 / 255 / 0.22 + 1e-4);  // rounded to 8 bits
  }
  CHECK(fails_with(
      [&] {
        Random random;
        augmented(cv::Mat(4, 4, CV_16UC3), small(), {}, random);
      },
      "8-bit"));
}

TEST_CASE("augment: flips happen as often as asked, grey pictures become three channels") {
  const cv::Mat image = test::noise(32, 24, CV_8UC1, 6);
  Preprocess p = small();
  p.resize = Preprocess::Resize::stretch;
  Random still(1);
  const cv::Mat straight = augmented(image, p, nothing(), still);
  REQUIRE(straight.type() == CV_8UC3);
  cv::Mat mirrored;
  cv::flip(straight, mirrored, 1);
  Augment a = nothing();
  a.flip = 0.3;
  int flipped = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    Random random(9, i);
    const cv::Mat got = augmented(image, p, a, random);
    const bool is_flipped = cv::norm(got, mirrored, cv::NORM_INF) == 0;
    REQUIRE((is_flipped || cv::norm(got, straight, cv::NORM_INF) == 0));
    flipped += is_flipped;
  }
  CHECK((flipped > 240 && flipped < 360));
}

TEST_CASE("augment: colours by hand") {
  const cv::Vec3b colour(10, 100, 200);  // B, G, R; its grey is 119.64
  CHECK(one_pixel(colour, brightness_matrix(1.2)) == cv::Vec3b(12, 120, 240));
  CHECK(one_pixel(colour, contrast_matrix(0.5, 100)) == cv::Vec3b(55, 100, 150));
  CHECK(one_pixel(colour, saturation_matrix(0)) == cv::Vec3b(120, 120, 120));
  CHECK(one_pixel(colour, saturation_matrix(2)) == cv::Vec3b(0, 80, 255));
  CHECK(one_pixel(colour, hue_matrix(0)) == colour);
  CHECK(one_pixel(colour, hue_matrix(1)) == colour);
  const cv::Vec3b third = one_pixel({80, 90, 120}, hue_matrix(1.0 / 3));
  CHECK(third != cv::Vec3b(80, 90, 120));
  CHECK(std::abs(0.114 * third[0] + 0.587 * third[1] + 0.299 * third[2] - 97.83) < 1);  // as bright as before
  CHECK(one_pixel({77, 77, 77}, hue_matrix(0.4)) == cv::Vec3b(77, 77, 77));
  CHECK(one_pixel(colour, after(contrast_matrix(0.5, 100), brightness_matrix(1.2))) == cv::Vec3b(56, 110, 170));
}

TEST_CASE("augment: jitter stays within its bounds, moves every way, and is a function of the generator") {
  Augment a = nothing();
  a.brightness = 0.4;
  int least = 255, most = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    cv::Mat image(2, 2, CV_8UC3, cv::Scalar::all(100)), twin = image.clone();
    Random random(2, i), same(2, i);
    jitter_colours(image, a, random);
    jitter_colours(twin, a, same);
    REQUIRE(cv::norm(image, twin, cv::NORM_INF) == 0);
    least = std::min<int>(least, image.at<cv::Vec3b>(0, 0)[0]), most = std::max<int>(most, image.at<cv::Vec3b>(0, 0)[0]);
  }
  CHECK((least >= 60 && least < 65 && most <= 140 && most > 135));
}

TEST_CASE("augment: the border of a picture for a network of one channel is grey, and of its colour") {
  Preprocess p = small();
  p.channels = 1, p.resize = Preprocess::Resize::letterbox;
  p.mean = p.stddev = {0.5}, p.pad = {0.2};
  const cv::Mat wide(10, 40, CV_8UC1, cv::Scalar(200));
  const cv::Mat out = fitted(wide, p);
  REQUIRE((out.size() == cv::Size(32, 24) && out.type() == CV_8UC3));
  CHECK(out.at<cv::Vec3b>(0, 0) == cv::Vec3b(51, 51, 51));
  CHECK(out.at<cv::Vec3b>(12, 16) == cv::Vec3b(200, 200, 200));
  Preprocess colour = small();
  colour.pad = {0.2, 0.4, 0.6};
  CHECK(padding_colour(colour) == cv::Scalar(153, 102, 51));
  colour.colour = Preprocess::Colour::bgr;
  CHECK(padding_colour(colour) == cv::Scalar(51, 102, 153));
  p.channels = 2, p.pad = {0, 0};
  CHECK(fails_with([&] { fitted(wide, p); }, "expected a network's input of 1 or 3 channels, got 2"));
}
