// Boxes over pictures: where lines and tags are, on any kind of picture.
#include "pipeline/sinks/box_overlay.hpp"

#include <limits>

#include "pipeline/sinks/colours.hpp"
#include "pipeline/sinks/drawn_text.hpp"
#include "tests/support/catch.hpp"

using namespace fovea;

namespace {

Image ground(int width, int height, int value = 128, int type = CV_8UC3) {
  return {cv::Mat(height, width, type, cv::Scalar::all(value)), CV_MAT_CN(type) == 1, {}};
}

cv::Mat changed(const Image& image, const cv::Mat& drawn) {
  cv::Mat same, grey(drawn.size(), CV_8U, cv::Scalar(0));
  for (int y = 0; y < drawn.rows; ++y)
    for (int x = 0; x < drawn.cols; ++x)
      grey.at<std::uint8_t>(y, x) = drawn.at<cv::Vec3b>(y, x) != image.pixels.at<cv::Vec3b>(y, x) ? 255 : 0;
  return grey;
}

cv::Mat of_colour(const cv::Mat& drawn, std::size_t index) {
  cv::Mat mask;
  cv::inRange(drawn, label_colour(index), label_colour(index), mask);
  return mask;
}

cv::Rect extent(const cv::Mat& mask) {
  int left = mask.cols, top = mask.rows, right = -1, bottom = -1;
  for (int y = 0; y < mask.rows; ++y)
    for (int x = 0; x < mask.cols; ++x)
      if (mask.at<std::uint8_t>(y, x))
        left = std::min(left, x), top = std::min(top, y), right = std::max(right, x), bottom = std::max(bottom, y);
  return {cv::Point(left, top), cv::Point(right + 1, bottom + 1)};
}

}  // namespace

TEST_CASE("box overlay: the line lies inside the box, its rim around it, and the rest stays") {
  const Image image = ground(640, 480);
  const cv::Mat before = image.pixels.clone(), drawn = box_overlay(image, {{{100, 50, 200, 150}, "", 3}});
  CHECK((drawn.type() == CV_8UC3 && drawn.size() == before.size() && cv::norm(image.pixels, before, cv::NORM_INF) == 0));
  CHECK(extent(of_colour(drawn, 3)) == cv::Rect(100, 50, 100, 100));
  const cv::Mat mask = changed(image, drawn);
  CHECK(extent(mask) == cv::Rect(99, 49, 102, 102));
  CHECK(cv::countNonZero(mask(cv::Rect(106, 56, 88, 88))) == 0);
  CHECK(drawn.at<cv::Vec3b>(100, 99) == cv::Vec3b(0, 0, 0));
}

TEST_CASE("box overlay: any kind of picture, and any size") {
  for (const int type : {CV_8UC1, CV_8UC3, CV_8UC4, CV_16UC1, CV_16UC3, CV_16UC4})
    for (const cv::Size size : {cv::Size(1, 1), cv::Size(7, 300), cv::Size(300, 7), cv::Size(33, 20), cv::Size(900, 700)}) {
      const Image image{cv::Mat(size, type, cv::Scalar::all(200)), CV_MAT_CN(type) == 1, {}};
      const cv::Mat drawn =
          box_overlay(image, {{{0, 0, size.width * 1.0, size.height * 1.0}, "a name 0.87", 1}, {{0, 0, 1, 1}, "g", 2, true}});
      CHECK((drawn.type() == CV_8UC3 && drawn.size() == size));
      CHECK(cv::countNonZero(of_colour(drawn, 2)) > 0);
    }
}

TEST_CASE("box overlay: lines grow with the picture") {
  const auto width = [](int side) {
    const cv::Mat drawn = box_overlay(ground(side, side), {{{side / 4.0, side / 4.0, side / 2.0, side / 2.0}, "", 0}});
    return cv::countNonZero(of_colour(drawn, 0).row(side * 3 / 8)) / 2;
  };
  CHECK((width(100) == 1 && width(400) == 2 && width(1000) == 3 && width(4000) == 13));
}

TEST_CASE("box overlay: tags stay inside the picture, beside each other, and are shortened") {
  const Image image = ground(400, 300);
  for (const Box& box :
       {Box{0, 0, 40, 40}, Box{380, 0, 400, 300}, Box{0, 280, 400, 300}, Box{390, 290, 410, 310}, Box{-50, -50, 10, 10}}) {
    const cv::Mat with = box_overlay(image, {{box, "a class 0.50", 1}}), without = box_overlay(image, {{box, "", 1}});
    CHECK(cv::countNonZero(of_colour(with, 1)) > cv::countNonZero(of_colour(without, 1)) + 300);
    CHECK(cv::countNonZero(changed(image, with).col(0)) <= 300);
  }
  // Above the box: as wide as its text.
  const cv::Rect tag = extent(of_colour(box_overlay(image, {{{100, 100, 110, 110}, "RBC", 1}}), 1));
  CHECK((tag.y < 100 && tag.y >= 80 && tag.x == 100 && tag.width > 20 && tag.width < 60));
  // Two boxes on each other: two tags.
  const Box box{100, 100, 300, 200};
  const cv::Mat both = box_overlay(image, {{box, "first", 1}, {box, "second", 2}});
  const auto filled = [&](std::size_t index) {
    return cv::countNonZero(of_colour(box_overlay(image, {{box, "second", index}}), index));
  };
  CHECK(cv::countNonZero(of_colour(both, 2)) >= filled(2) * 8 / 10);
  CHECK(cv::countNonZero(of_colour(both, 1)) > filled(2) / 8);  // the other's tag; the lines are under the second box
  const cv::Mat longer = box_overlay(image, {{box, std::string(100000, 'x'), 1}});
  CHECK(extent(of_colour(longer, 1)).width <= 400);
  CHECK(extent(of_colour(longer, 1)).width > 300);
}

TEST_CASE("box overlay: dashed lines have gaps") {
  const Image image = ground(400, 300);
  const Box box{50, 50, 350, 250};
  const int whole = cv::countNonZero(of_colour(box_overlay(image, {{box, "", 1}}), 1));
  const int dashed = cv::countNonZero(of_colour(box_overlay(image, {{box, "", 1, true}}), 1));
  CHECK((dashed > whole / 3 && dashed < whole * 3 / 4));
}

TEST_CASE("box overlay: boxes that are none or lie beside the picture are not drawn") {
  const Image image = ground(60, 40);
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  for (const Box& box :
       {Box{nan, 0, 10, 10}, Box{0, 0, inf, 10}, Box{10, 10, 10, 20}, Box{20, 10, 10, 20}, Box{60, 0, 80, 10}, Box{-9, -9, 0, 0}})
    CHECK(cv::countNonZero(changed(image, box_overlay(image, {{box, "name", 0}}))) == 0);
  // One that reaches far over the picture shows no edge.
  CHECK(cv::countNonZero(changed(image, box_overlay(image, {{{-1e300, -1e300, 1e300, 1e300}, "", 0}}))) == 0);
}

TEST_CASE("box overlay: what annotations and detections are called") {
  const std::vector<std::string> classes{"RBC", "WBC"};
  const DrawnBox a = drawn(Annotation{{1, 2, 3, 4}, 1, true}, classes), d = drawn(Detection{{1, 2, 3, 4}, 0, 0.874}, classes);
  CHECK((a.text == "WBC" && a.colour == 1 && a.dashed && a.box == Box{1, 2, 3, 4}));
  CHECK((d.text == "RBC 0.87" && d.colour == 0 && !d.dashed));
  CHECK(drawn(Annotation{{1, 2, 3, 4}, 7}, classes).text == "7");
  CHECK((drawn(Annotation{{1, 2, 3, 4}, -1}, classes).text == "-1" && drawn(Annotation{{1, 2, 3, 4}, -1}, classes).colour == 0));
}

TEST_CASE("colours: neighbours lie far apart, text on them is readable") {
  for (std::size_t i = 0; i < 12; ++i) {
    for (std::size_t k = i + 1; k < std::min<std::size_t>(i + 4, 12); ++k)
      CHECK(cv::norm(label_colour(i) - label_colour(k)) > 60);
    const cv::Scalar colour = label_colour(i), text = text_colour_on(colour);
    const auto luma = [](const cv::Scalar& c) { return 0.114 * c[0] + 0.587 * c[1] + 0.299 * c[2]; };
    CHECK(std::abs(luma(colour) - luma(text)) > 100);
  }
}

TEST_CASE("drawn text: what the font has not") {
  CHECK(drawable("plain ~ text") == "plain ~ text");
  CHECK(drawable("Käfer, Straße, Œuvre, Łódź, naïve") == "Kafer, Strasse, OEuvre, Lodz, naive");
  CHECK(drawable("“a” – ‘b’…\u00a0c") == "\"a\" - 'b'... c");
  CHECK(drawable("猫 Ωμ 😀") == "? ?? ?");
  CHECK(drawable("a\n\t\x1b[0m\x7f") == "a???[0m?");
  CHECK(drawable("K\xE4"
                 "fer \xC3 \xF0\x9F\x98") == "K?fer ? ???");
  CHECK(drawable("\x80\xBF\xFF\xC3").size() == 4);
  CHECK(drawable("").empty());
}
