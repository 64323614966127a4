#include "datasets/preprocess.hpp"

#include <cmath>
#include <opencv2/imgproc.hpp>

#include "datasets/resample.hpp"
#include "datasets/scans/unit_range.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/images.hpp"

using namespace fovea;
using test::fails_with;

namespace {

using Resize = Preprocess::Resize;
using Interpolation = Preprocess::Interpolation;

// Values 0..1 unchanged, so that pixels can be read off.
Preprocess plain(int height, int width, Resize resize) {
  Preprocess p;
  p.height = height, p.width = width, p.resize = resize;
  p.mean = {0, 0, 0}, p.stddev = {1, 1, 1}, p.pad = {0.25, 0.5, 0.75};
  return p;
}

// Blue grows along x, red along y, as far as 16 bits carry it.
cv::Mat ramp(int width, int height) {
  cv::Mat m(height, width, CV_16UC3);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      m.at<cv::Vec3w>(y, x) = {static_cast<std::uint16_t>(100 * x), 777, static_cast<std::uint16_t>(100 * y)};
  return m;
}

float at(const Tensor& t, int c, int y, int x) { return t.data<float>()[(y * t.dim(3) + x) * 3 + c]; }

}  // namespace

TEST_CASE("preprocess: crop, letterbox and stretch lie where they say") {
  SECTION("crop counts as torchvision: 500x375 to 256 over the shorter side, then the middle 224") {
    const Geometry g = geometry_of({500, 375}, plain(224, 224, Resize::crop));
    CHECK(g.resized() == cv::Size(341, 256));
    CHECK((g.shift_x == -58 && g.shift_y == -16));  // round(117 / 2) to even is 58
    CHECK(g.content == cv::Rect(0, 0, 224, 224));
    CHECK(g.seen().width == Approx(224 * 500 / 341.0));
  }
  SECTION("letterbox pads whole pixels, the odd one right and below") {
    const Geometry g = geometry_of({500, 375}, plain(224, 225, Resize::letterbox));
    CHECK(g.resized() == cv::Size(225, 169));
    CHECK(g.content == cv::Rect(0, 27, 225, 169));
    CHECK(g.shift_y == 27);
  }
  SECTION("stretch") {
    const Geometry g = geometry_of({500, 375}, plain(100, 50, Resize::stretch));
    CHECK((g.scale_x == 10 && g.scale_y == 3.75));
    CHECK(g.content == cv::Rect(0, 0, 50, 100));
  }
  SECTION("one pixel, and sides of one pixel") {
    for (const Resize r : {Resize::crop, Resize::letterbox, Resize::stretch})
      for (const cv::Size s : {cv::Size(1, 1), cv::Size(1, 900), cv::Size(900, 1), cv::Size(3000, 2)}) {
        const Preprocessed done = preprocess(test::noise(s.width, s.height, CV_8UC3), plain(32, 48, r));
        for (const double v : done.tensor.values()) REQUIRE((v >= 0 && v <= 1));
        CHECK(done.geometry.content.area() > 0);
      }
  }
}

TEST_CASE("preprocess: positions on the network's input are found again on the source") {
  for (const Resize r : {Resize::crop, Resize::letterbox, Resize::stretch})
    for (const Interpolation i : {Interpolation::bilinear, Interpolation::area, Interpolation::bicubic})
      for (const cv::Size s : {cv::Size(301, 211), cv::Size(97, 143), cv::Size(40, 31)}) {
        Preprocess p = plain(72, 88, r);
        p.interpolation = i;
        const Preprocessed done = preprocess(ramp(s.width, s.height), p);
        const Geometry& g = done.geometry;
        INFO("resize " << static_cast<int>(r) << " interpolation " << static_cast<int>(i) << " of " << s);
        double worst = 0;
        const int border = 4;  // filters reach over the source's edge there
        for (int y = g.content.y + border; y < g.content.br().y - border; ++y)
          for (int x = g.content.x + border; x < g.content.br().x - border; ++x) {
            const cv::Point2d place = g.to_source(cv::Point2d(x, y)), back = g.to_network(place);
            worst = std::max({worst, std::abs(at(done.tensor, 2, y, x) * 655.35 - place.x),
                              std::abs(at(done.tensor, 0, y, x) * 655.35 - place.y), std::abs(back.x - x), std::abs(back.y - y)});
          }
        CHECK(worst < 0.1);  // weights of a few whole pixels do not balance exactly; half a pixel would be a mistake
      }
}

TEST_CASE("preprocess: areas map edge to edge") {
  const Geometry g = geometry_of({500, 375}, plain(224, 224, Resize::letterbox));
  const cv::Rect2d whole = g.to_source(cv::Rect2d(-0.5, g.content.y - 0.5, 224, g.content.height));
  CHECK(whole.x == Approx(-0.5));
  CHECK(whole.width == Approx(500));
  CHECK(whole.height == Approx(375));
  const cv::Rect2d back = g.to_network(whole);
  CHECK(back.y == Approx(g.content.y - 0.5));
  CHECK(back.height == Approx(g.content.height));
  CHECK(g.seen().height == Approx(375));
}

TEST_CASE("preprocess: depth, grey, alpha, colour order, mean and standard deviation") {
  Preprocess p = plain(8, 8, Resize::stretch);
  const cv::Mat bgr(8, 8, CV_8UC3, cv::Scalar(51, 102, 255));
  const auto first = [&](const cv::Mat& m) {
    const Tensor t = preprocess(m, p).tensor;
    return std::array{at(t, 0, 3, 5), at(t, 1, 3, 5), at(t, 2, 3, 5)};
  };
  const auto near = [](const std::array<float, 3>& v, double a, double b, double c) {
    return std::abs(v[0] - a) < 1e-6 && std::abs(v[1] - b) < 1e-6 && std::abs(v[2] - c) < 1e-6;
  };
  CHECK(near(first(bgr), 1, 0.4, 0.2));
  cv::Mat deep, floats, alpha;
  bgr.convertTo(deep, CV_16U, 257);
  bgr.convertTo(floats, CV_32F, 1 / 255.0);
  cv::cvtColor(bgr, alpha, cv::COLOR_BGR2BGRA);
  CHECK(near(first(deep), 1, 0.4, 0.2));
  CHECK(near(first(floats), 1, 0.4, 0.2));
  CHECK(near(first(alpha), 1, 0.4, 0.2));
  CHECK(near(first(cv::Mat(8, 8, CV_8UC1, cv::Scalar(51))), 0.2, 0.2, 0.2));
  p.mean = {0.5, 0.4, 0.1}, p.stddev = {0.5, 0.25, 0.1};
  CHECK(near(first(bgr), 1, 0, 1));
  p.colour = Preprocess::Colour::bgr;
  CHECK(near(first(bgr), -0.6, 0, 9));
  CHECK(fails_with([&] { preprocess(cv::Mat(), p); }, "empty"));
  CHECK(fails_with([&] { preprocess(cv::Mat(4, 4, CV_8UC2), p); }, "the network takes 3 channels, the image has 2"));
  CHECK(fails_with([&] { preprocess(cv::Mat(4, 4, CV_64FC3), p); }, "8 or 16 bit"));
}

TEST_CASE("preprocess: the padding is the given colour, normalised") {
  Preprocess p = plain(10, 20, Resize::letterbox);
  p.mean = {0.1, 0.1, 0.1}, p.stddev = {0.5, 0.5, 0.5};
  const Preprocessed done = preprocess(cv::Mat(10, 10, CV_8UC3, cv::Scalar(255, 255, 255)), p);
  REQUIRE(done.geometry.content == cv::Rect(5, 0, 10, 10));
  for (const int x : {0, 4, 15, 19})
    for (int c = 0; c < 3; ++c) CHECK(at(done.tensor, c, 7, x) == Approx((0.25 * (c + 1) - 0.1) / 0.5));
  CHECK(at(done.tensor, 1, 7, 5) == Approx(1.8));
}

TEST_CASE("preprocess: a batch is filled sample by sample, and only where it fits") {
  const Preprocess p = plain(6, 9, Resize::crop);
  const cv::Mat a = test::noise(31, 22, CV_8UC3, 1), b = test::noise(17, 40, CV_8UC3, 2);
  Tensor batch = Tensor::empty({2, 3, 6, 9}, DType::f32, Layout::channels_last);
  preprocess_into(batch, 0, a, p);
  preprocess_into(batch, 1, b, p);
  CHECK(batch.slice(0, 0, 1).values() == preprocess(a, p).tensor.values());
  CHECK(batch.slice(0, 1, 2).values() == preprocess(b, p).tensor.values());
  CHECK(fails_with([&] { preprocess_into(batch, 2, a, p); }, "sample 2"));
  Tensor other = Tensor::empty({2, 3, 9, 6}, DType::f32, Layout::channels_last);
  CHECK(fails_with([&] { preprocess_into(other, 0, a, p); }, "6 x 9"));
}

TEST_CASE("resample: a window costs and gives what the whole gives there; constants stay; sizes are kept exactly") {
  const cv::Mat image = test::noise(53, 37, CV_8UC3, 3);
  for (const Interpolation i : {Interpolation::bilinear, Interpolation::area, Interpolation::bicubic})
    for (const cv::Size size : {cv::Size(20, 15), cv::Size(53, 37), cv::Size(101, 80), cv::Size(30, 60)}) {
      const cv::Mat whole = resample(image, size, {{0, 0}, size}, i);
      const cv::Rect window(size.width / 3, size.height / 4, size.width / 2, size.height / 2);
      CHECK(cv::norm(resample(image, size, window, i), whole(window), cv::NORM_INF) < 1e-3);
      const cv::Mat flat = resample(cv::Mat(11, 13, CV_8UC1, cv::Scalar(100)), size, {{0, 0}, size}, i);
      CHECK(cv::norm(flat, cv::Mat(size, CV_32FC1, cv::Scalar(100)), cv::NORM_INF) < 1e-3);
      if (size == image.size()) CHECK(cv::norm(whole, cv::Mat_<cv::Vec3f>(image), cv::NORM_INF) < 1e-3);
    }
  cv::Mat wide, by_opencv;
  image(cv::Rect(0, 0, 52, 36)).convertTo(wide, CV_32F);
  cv::resize(wide, by_opencv, {13, 9}, 0, 0, cv::INTER_AREA);
  CHECK(cv::norm(resample(wide, {13, 9}, {0, 0, 13, 9}, Interpolation::area), by_opencv, cv::NORM_INF) < 1e-3);
  CHECK(fails_with([&] { resample(image, {10, 10}, {5, 5, 6, 5}, Interpolation::area); }, "inside 10x10"));
}

// By hand: 4 pixels to 2 with triangles of radius 2 give 3:3:1 of 0, 1, 2 around each centre; bicubic's weights come from Keys' formula.
TEST_CASE("resample: hand-computed rows") {
  cv::Mat row = (cv::Mat_<float>(1, 4) << 0, 1, 0, 0);
  const auto shrunk = [&](Interpolation i) { return resample(row, {2, 1}, {0, 0, 2, 1}, i); };
  const cv::Mat bilinear = shrunk(Interpolation::bilinear), area = shrunk(Interpolation::area);
  CHECK(bilinear.at<float>(0) == Approx(3.0 / 7));
  CHECK(bilinear.at<float>(1) == Approx(1.0 / 7));
  CHECK(area.at<float>(0) == Approx(0.5));
  CHECK(area.at<float>(1) == 0);
  const cv::Mat enlarged = resample(row, {8, 1}, {0, 0, 8, 1}, Interpolation::bilinear);
  CHECK(enlarged.at<float>(2) == Approx(0.75));
  CHECK(enlarged.at<float>(3) == Approx(0.75));
  CHECK(enlarged.at<float>(4) == Approx(0.25));
  CHECK(resample(row, {8, 1}, {0, 0, 8, 1}, Interpolation::bicubic).at<float>(3) == Approx(0.8671875));
}

TEST_CASE("preprocess: what a picture's own values mean holds for every task") {
  cv::Mat image(40, 50, CV_8UC3);
  cv::randu(image, 30, 120);
  for (const bool contrast : {false, true}) {
    Preprocess p = plain(20, 20, Resize::letterbox);
    if (contrast) p.local_contrast = 4, p.background = 0.05;
    else p.range = Preprocess::Range::percentiles;
    const Tensor given = preprocess(image, p).tensor, seen = preprocess(unit_range(image, p), p).tensor;
    CHECK(given.values() == seen.values());
    CHECK(given.values() != preprocess(image, plain(20, 20, Resize::letterbox)).tensor.values());
    Tensor trained = Tensor::empty({1, 3, 40, 50}, DType::f32, Layout::channels_last), same = Tensor::like(trained);
    p.height = 40, p.width = 50;
    normalise_into(trained, 0, image, p);
    normalise_into(same, 0, unit_range(image, p), p);
    CHECK(trained.values() == same.values());
  }
}
