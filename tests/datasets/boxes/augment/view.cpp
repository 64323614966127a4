#include "datasets/boxes/augment/view.hpp"

#include <opencv2/imgproc.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/images.hpp"

using namespace fovea;

namespace {

View unchanged(cv::Size size) {
  View v;
  v.source = size, v.whole = v.cell = cv::Rect({0, 0}, size);
  return v;
}

cv::Mat shown(const cv::Mat& pixels, const View& v, cv::Size canvas) {
  cv::Mat out(canvas, CV_8UC3, cv::Scalar::all(9));
  show(pixels, v, out);
  return out;
}

}  // namespace

TEST_CASE("view: turns and reflections move every pixel, and a box with it, exactly") {
  const cv::Mat pixels = test::noise(7, 5, CV_8UC3);
  for (const bool transposed : {false, true})
    for (const bool mirrored : {false, true})
      for (const bool upside_down : {false, true}) {
        cv::Mat expected = pixels.clone();
        if (transposed) cv::transpose(expected, expected);
        if (mirrored) cv::flip(expected, expected, 1);
        if (upside_down) cv::flip(expected, expected, 0);
        View v = unchanged(pixels.size());
        v.transposed = transposed, v.mirrored = mirrored, v.upside_down = upside_down;
        v.whole = v.cell = cv::Rect({0, 0}, expected.size());
        const cv::Mat got = shown(pixels, v, expected.size());
        REQUIRE(cv::norm(got, expected, cv::NORM_INF) == 0);
        const Box pixel = v.to_canvas({5, 3, 6, 4});
        CHECK((pixel.width() == Approx(1) && pixel.height() == Approx(1)));
        const auto colour = got.at<cv::Vec3b>(cvRound(pixel.y1), cvRound(pixel.x1));
        CHECK(colour == pixels.at<cv::Vec3b>(3, 5));
      }
}

TEST_CASE("view: only the window is drawn, shrinking takes means, grey becomes colour") {
  const cv::Mat pixels = test::noise(61, 43, CV_8UC1);
  View v = unchanged(pixels.size());
  v.whole.x = -10, v.whole.y = 4, v.cell = {3, 0, 20, 30};
  const cv::Mat part = shown(pixels, v, {40, 40});
  for (int y = 0; y < 40; ++y)
    for (int x = 0; x < 40; ++x) {
      const bool inside = v.window().contains({x, y});
      const int expected = inside ? pixels.at<std::uint8_t>(y - 4, x + 10) : 9;
      REQUIRE(part.at<cv::Vec3b>(y, x) == cv::Vec3b::all(static_cast<std::uint8_t>(expected)));
    }
  v.whole = v.cell = {0, 0, 20, 14};  // about a third; the last blocks are not full
  CHECK(cv::mean(shown(pixels, v, {20, 14}))[0] == Approx(cv::mean(pixels)[0]).margin(3));
  const cv::Mat even = test::noise(60, 42, CV_8UC1);
  cv::Mat means, grey;
  cv::resize(even, means, {20, 14}, 0, 0, cv::INTER_AREA);
  v.source = even.size();
  cv::extractChannel(shown(even, v, {20, 14}), grey, 0);
  CHECK(cv::norm(grey, means, cv::NORM_INF) == 0);
  v.whole = {-1250000, -2142857, 30000000, 20000000};  // the middle of one pixel
  v.cell = {0, 0, 5, 5};
  const double one = even.at<std::uint8_t>(4, 2);
  CHECK(cv::mean(shown(even, v, {5, 5}))[0] == Approx(one).margin(1));
}

TEST_CASE("view: what a crop leaves of an object decides whether it stays, is ignored or goes") {
  View v;
  v.source = {100, 100}, v.whole = {0, 0, 100, 100}, v.cell = {40, 0, 60, 100};
  const auto one = [&](double x1, double x2, bool ignored = false) {
    return in_sight({{{x1, 10, x2, 20}, 3, ignored, 50}}, v, 0.25);
  };
  CHECK(one(0, 40).empty());
  CHECK(one(0, 41).empty());        // 2 percent
  REQUIRE(one(0, 44).size() == 1);  // 9 percent
  CHECK((one(0, 44)[0].ignored && one(0, 44)[0].box == Box{40, 10, 44, 20}));
  CHECK(one(0, 50)[0].ignored);  // 20 percent
  CHECK((!one(0, 60)[0].ignored && one(0, 60)[0].area == Approx(50.0 / 3)));
  CHECK((!one(50, 70)[0].ignored && one(50, 70)[0] == Annotation{{50, 10, 70, 20}, 3, false, 50}));
  CHECK((one(0, 41, true).size() == 1 && one(0, 41, true)[0].ignored));  // a region of many
  CHECK(one(90, 130)[0].box == Box{90, 10, 100, 20});                    // sticks out of the picture: only what is on it counts
  CHECK(!one(90, 130)[0].ignored);
  CHECK(one(100, 130).empty());
}
