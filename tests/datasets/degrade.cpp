#include "datasets/degrade.hpp"

#include <cmath>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <set>

#include "datasets/codecs/codec.hpp"
#include "datasets/resize.hpp"
#include "datasets/super_resolution.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/images.hpp"

using namespace fovea;
using fovea::test::fails_with;

namespace {

Degrade read(const std::string& text) { return read_degrade(Yaml::parse(text, "recipe.yaml")); }

cv::Mat scene(int width, int height, std::uint64_t seed) {
  cv::Mat m = test::noise(width, height, CV_8UC3, seed);
  cv::GaussianBlur(m, m, cv::Size(5, 5), 1.2);
  return m;
}

// Of one colour, which JPEG's coarser grid of colours leaves as it is.
cv::Mat grey_scene(int width, int height, std::uint64_t seed) {
  cv::Mat grey;
  cv::cvtColor(scene(width, height, seed), grey, cv::COLOR_BGR2GRAY);
  cv::cvtColor(grey, grey, cv::COLOR_GRAY2BGR);
  return grey;
}

cv::Mat flat(int side, double level) { return cv::Mat(side, side, CV_8UC3, cv::Scalar::all(level)); }

double largest_difference(const cv::Mat& a, const cv::Mat& b) {
  REQUIRE(a.size() == b.size());
  return cv::norm(a, b, cv::NORM_INF);
}

// Deviation of one channel.
double deviation(const cv::Mat& image, int channel = 0) {
  cv::Mat one, mean, sigma;
  cv::extractChannel(image, one, channel);
  cv::meanStdDev(one, mean, sigma);
  return sigma.at<double>(0);
}

// Second moments of the picture of a single point.
struct Moments {
  double xx = 0, yy = 0, xy = 0;
};
Moments moments(const cv::Mat& image) {
  cv::Mat one;
  cv::extractChannel(image, one, 1);
  const double mass = cv::sum(one)[0], cx = image.cols / 2, cy = image.rows / 2;
  Moments m;
  for (int y = 0; y < one.rows; ++y)
    for (int x = 0; x < one.cols; ++x) {
      const double share = one.at<std::uint8_t>(y, x) / mass;
      m.xx += share * (x - cx) * (x - cx), m.yy += share * (y - cy) * (y - cy), m.xy += share * (x - cx) * (y - cy);
    }
  return m;
}

// A light spot of 5x5 pixels: variance 2 in either direction, and light enough that blur is not lost to rounding.
cv::Mat spot(int side) {
  cv::Mat m = flat(side, 0);
  m(cv::Rect(side / 2 - 2, side / 2 - 2, 5, 5)).setTo(cv::Scalar::all(255));
  return m;
}

}  // namespace

TEST_CASE("degrade: a recipe's keys, and what means nothing is refused with its place") {
  const Degrade d = read(
      "share: 0.9\nblur: [0.2, 2]\nanisotropic: 0.3\nresize: [area, bicubic]\nnoise: [0, 10]\npoisson: [1, 5]\ngrey_noise: "
      "0\njpeg: "
      "[30, 100]\njpeg_share: 0.8\n");
  CHECK((d.share == 0.9 && d.blur.low == 0.2 && d.blur.high == 2 && d.anisotropic == 0.3 && d.resize.size() == 2));
  CHECK((d.noise.high == 10 && d.poisson.low == 1 && d.grey_noise == 0 && d.jpeg.low == 30 && d.jpeg_share == 0.8));
  for (const auto& [text, message] :
       std::vector<std::pair<std::string, std::string>>{{"blur: 2\n", "blur: expected [low, high]"},
                                                        {"blur: [2, 1]\n", "blur: expected [low, high]"},
                                                        {"noise: [-1, 1]\n", "noise: expected [low, high]"},
                                                        {"jpeg: [0, 50]\n", "jpeg: expected [low, high] from 1"},
                                                        {"jpeg: [30, 101]\n", "whole qualities from 1 to 100"},
                                                        {"jpeg: [30.5, 60]\n", "whole qualities"},
                                                        {"jpeg_share: 2\n", "jpeg_share"},
                                                        {"resize: [cubic]\n", "got 'cubic'"},
                                                        {"resize: []\n", "one kind at least"},
                                                        {"blurr: [1, 2]\n", "blurr"}}) {
    INFO(text);
    CHECK(fails_with([&] { read(text); }, message));
    CHECK(fails_with([&] { read(text); }, "recipe.yaml"));
  }
}

TEST_CASE("degrade: nothing asked for is bicubic shrinking; each kind of shrinking is what it is called") {
  const cv::Mat high = scene(64, 48, 1);
  for (const int scale : {2, 3, 4}) {
    const cv::Mat whole = high(cv::Rect(0, 0, 64 / scale * scale, 48)).clone();
    const cv::Size size(whole.cols / scale, whole.rows / scale);
    const auto with = [&](const std::string& text) {
      Random random(1, 2);
      return degraded(whole, scale, read(text), random);
    };
    CHECK(largest_difference(with("share: 1\n"), imresize(whole, size, Edge::repeat)) <=
          1);  // which also rounds between its passes
    cv::Mat area, bilinear;
    cv::resize(whole, area, size, 0, 0, cv::INTER_AREA);
    cv::resize(whole, bilinear, size, 0, 0, cv::INTER_LINEAR);
    CHECK(largest_difference(with("resize: area\n"), area) <= 1);
    CHECK(largest_difference(with("resize: bilinear\n"), bilinear) <= 1);
    if (scale != 2) CHECK(largest_difference(area, bilinear) > 5);
  }
  std::set<double> sums;  // all kinds come up
  for (std::uint64_t i = 0; i < 24; ++i) {
    Random random(i, 0);
    sums.insert(cv::norm(degraded(high, 4, read("resize: [area, bilinear, bicubic]\n"), random)));
  }
  CHECK(sums.size() == 3);
  Random random;
  CHECK(fails_with([&] { degraded(high, 5, {}, random); }, "a multiple of 5"));
  CHECK(fails_with([&] { degraded(cv::Mat(4, 4, CV_8UC1), 2, {}, random); }, "three channels"));
}

TEST_CASE("degrade: blur has the sigma that was asked for, round or in any direction between the two") {
  const cv::Mat point = spot(65);
  for (const double sigma : {0.8, 1.5, 3.0}) {
    INFO(sigma);
    for (const char* share : {"0", "1"}) {  // of equal sigmas the anisotropic kernel is round, too
      Random random(3, 0);
      const Moments m = moments(degraded(
          point, 1, read("blur: [" + std::to_string(sigma) + ", " + std::to_string(sigma) + "]\nanisotropic: " + share + "\n"),
          random));
      CHECK(m.xx == Approx(2 + sigma * sigma).epsilon(0.1));
      CHECK(m.yy == Approx(2 + sigma * sigma).epsilon(0.1));
      CHECK(std::abs(m.xy) < 0.05);
    }
  }
  double longest = 0, roundest = 1e9;
  std::set<int> directions;
  for (std::uint64_t i = 0; i < 60; ++i) {
    Random random(i, 7);
    const Moments m = moments(degraded(point, 1, read("blur: [0.5, 3]\nanisotropic: 1\n"), random));
    const double middle = (m.xx + m.yy) / 2, radius = std::hypot((m.xx - m.yy) / 2, m.xy);
    CHECK(middle + radius < 2 + 9.6);
    CHECK(middle - radius > 2);
    longest = std::max(longest, radius), roundest = std::min(roundest, radius);
    if (radius > 1) directions.insert(static_cast<int>((std::atan2(2 * m.xy, m.xx - m.yy) + 3.2) / 0.8));
  }
  CHECK((longest > 2.5 && roundest < 0.5));
  CHECK(directions.size() >= 6);
  Random random(1, 0);  // so little blur is none
  CHECK(largest_difference(degraded(scene(32, 32, 2), 1, read("blur: [0, 0.05]\n"), random), scene(32, 32, 2)) == 0);
}

TEST_CASE(
    "degrade: Gaussian noise is as strong everywhere, Poisson's follows the root of the brightness; grey noise is equal in all "
    "channels") {
  const auto noisy = [](double level, const std::string& text) {
    Random random(5, 1);
    return degraded(flat(128, level), 1, read(text), random);
  };
  for (const double level : {64.0, 128.0, 192.0}) {
    CHECK(deviation(noisy(level, "noise: [8, 8]\n")) == Approx(8).epsilon(0.03));
    CHECK(deviation(noisy(level, "poisson: [10, 10]\n"), 2) == Approx(10 * std::sqrt(level / 255)).epsilon(0.03));
    CHECK(cv::mean(noisy(level, "poisson: [10, 10]\ngrey_noise: 0\n"))[1] == Approx(level).epsilon(0.01));
  }
  CHECK(deviation(noisy(0, "poisson: [10, 10]\n")) == 0);
  cv::Mat channels[3];
  cv::split(noisy(128, "noise: [8, 8]\ngrey_noise: 1\n"), channels);
  CHECK(largest_difference(channels[0], channels[2]) == 0);
  cv::split(noisy(128, "noise: [8, 8]\ngrey_noise: 0\n"), channels);
  CHECK(largest_difference(channels[0], channels[2]) > 20);
  CHECK(deviation(noisy(128, "noise: [8, 8]\nnoise_share: 0\n")) == 0);
}

TEST_CASE("degrade: Poisson numbers have Poisson's mean, variance and skewness") {
  for (const double mean : {0.0, 0.3, 4.0, 9.9, 10.0, 37.5, 650.0, 65025.0}) {
    INFO(mean);
    Random random(11, 0);
    constexpr int kCount = 40000;
    std::vector<double> all(kCount);
    for (double& v : all) v = poisson(mean, random);
    double first = 0, second = 0, third = 0;
    for (const double v : all) first += v / kCount;
    for (const double v : all) second += std::pow(v - mean, 2) / kCount, third += std::pow(v - mean, 3) / kCount;
    const double error = 5 * std::sqrt(mean / kCount);
    CHECK(std::abs(first - mean) <= error);
    CHECK(second == Approx(mean).epsilon(0.04).margin(1e-12));
    if (mean > 0) CHECK(std::abs(third / std::pow(mean, 1.5) - 1 / std::sqrt(mean)) < 0.1 + 1 / std::sqrt(kCount * mean));
    for (const double v : all)
      if (v != std::floor(v) || v < 0) FAIL(v);
  }
  Random random;
  CHECK(fails_with([&] { poisson(-1, random); }, "poisson"));
}

TEST_CASE("degrade: JPEG is libjpeg's with colour at half resolution, at every quality that was asked for") {
  const cv::Mat high = scene(64, 64, 9);
  const auto written = [&](int quality) { return codec::encode_jpeg_420({high, false, {}}, quality); };
  for (const int quality : {30, 75, 95, 100}) {
    INFO(quality);
    const auto bytes = written(quality);
    std::size_t frame = 2;  // of the start of the frame: SOF0
    while (bytes.at(frame + 1) != 0xc0) frame += 2 + bytes.at(frame + 2) * 256u + bytes.at(frame + 3);
    CHECK(bytes.at(frame + 11) == 0x22);  // luminance has two samples each way for one of colour
    Random random(1, 1);
    const std::string both = "[" + std::to_string(quality) + ", " + std::to_string(quality) + "]";
    const cv::Mat got = degraded(high, 1, read("jpeg: " + both + "\n"), random);
    CHECK(largest_difference(got, cv::imdecode(bytes, cv::IMREAD_COLOR)) <= 1);
  }
  std::set<double> seen;
  double worst = 0, best = 1e9;
  for (std::uint64_t i = 0; i < 300; ++i) {
    Random random(i, 0);
    const double error = cv::norm(degraded(high, 1, read("jpeg: [30, 33]\n"), random), high);
    seen.insert(error), worst = std::max(worst, error), best = std::min(best, error);
  }
  CHECK(seen.size() == 4);  // both ends come up
  CHECK(worst == Approx(cv::norm(cv::imdecode(written(30), cv::IMREAD_COLOR), high)).epsilon(0.01));
  CHECK(best == Approx(cv::norm(cv::imdecode(written(33), cv::IMREAD_COLOR), high)).epsilon(0.01));
}

TEST_CASE(
    "degraded patches: batch k depends on the seed and k alone; the target is the photograph, the input what became of it") {
  const auto pair = [](const char* name, const cv::Mat& high) {
    return ImagePair{name, high, imresize(high, high.size() / 2, Edge::repeat)};
  };
  const std::vector<ImagePair> pairs{pair("a", grey_scene(120, 96, 1)), pair("b", grey_scene(64, 150, 2))};
  const auto source = [&](const std::string& text, std::uint64_t seed) {
    return PatchSource(pairs, {.scale = 2, .patch = 20, .batch = 8, .seed = seed, .degrade = read(text)});
  };
  const std::string all =
      "blur: [0.2, 2]\nresize: [area, bilinear, bicubic]\nnoise: [0, 10]\npoisson: [0, 10]\njpeg: [30, 100]\n";
  const PatchSource one = source(all, 5), two = source(all, 5), other = source(all, 6);
  const Batch third = one.batch(3), first = one.batch(0);
  CHECK(two.batch(0).input().values() == first.input().values());
  CHECK(two.batch(3).input().values() == third.input().values());
  CHECK(two.batch(3).target().values() == third.target().values());
  CHECK(other.batch(3).input().values() != third.input().values());

  // Where nothing but mild JPEG happens, a patch is the target shrunk, at the same place and turned alike.
  for (const char* text : {"jpeg: [98, 100]\n", "resize: area\n", "share: 0\n"}) {
    INFO(text);
    const Batch b = source(text, 7).batch(0);
    for (std::int64_t i = 0; i < 8; ++i) {
      const cv::Mat made = imresize(to_image(b.target().slice(0, i, i + 1)), cv::Size(20, 20), Edge::repeat),
                    low = to_image(b.input().slice(0, i, i + 1));
      const cv::Rect inside(3, 3, 14, 14), beside(4, 3, 14, 14);
      CHECK(2 * cv::norm(made(inside), low(inside), cv::NORM_L1) < cv::norm(made(beside), low(inside), cv::NORM_L1));
    }
  }
}

TEST_CASE("degraded patches: JPEG's blocks lie anywhere in a patch, and small pictures have patches, too") {
  const cv::Mat high = test::noise(160, 160, CV_8UC3, 4);
  const PatchSource source({{"a", high, high}},
                           {.scale = 1, .patch = 24, .batch = 16, .seed = 3, .degrade = read("jpeg: [3, 3]\n")});
  std::set<int> phases;
  for (std::int64_t k = 0; k < 4; ++k) {
    const Batch b = source.batch(k);
    for (std::int64_t i = 0; i < 16; ++i) {
      const cv::Mat patch = to_image(b.input().slice(0, i, i + 1));
      double steps[8] = {};
      for (int x = 1; x < 24; ++x) steps[x % 8] += cv::norm(patch.col(x), patch.col(x - 1), cv::NORM_L1) / (x % 8 == 0 ? 2 : 3);
      phases.insert(static_cast<int>(std::max_element(steps, steps + 8) - steps));
    }
  }
  CHECK(phases.size() == 8);
  const cv::Mat small = scene(24, 26, 4);
  const PatchSource whole(
      {{"s", small, imresize(small, cv::Size(12, 13), Edge::repeat)}},
      {.scale = 2, .patch = 12, .batch = 8, .degrade = read("blur: [2, 2]\nnoise: [5, 5]\njpeg: [40, 60]\n")});
  CHECK(whole.batch(0).input().shape() == Shape{8, 3, 12, 12});
}
