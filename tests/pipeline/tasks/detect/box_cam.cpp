// Where the network looked for a box: in the look at the picture that found it, be that the whole, a window or its mirror image.
#include "pipeline/tasks/detect/box_cam.hpp"

#include <cmath>
#include <opencv2/imgproc.hpp>

#include "pipeline/tasks/detect/detector.hpp"
#include "tests/support/catch.hpp"

using namespace fovea;

namespace {

// Rings such as red blood cells look like under a microscope, on a background.
cv::Mat micrograph(cv::Size size, const std::vector<cv::Point>& cells, int width = 100) {
  cv::Mat picture(size, CV_8UC3, cv::Scalar(222, 216, 222));
  for (const cv::Point& c : cells) {
    cv::circle(picture, c, width / 2, {150, 140, 188}, cv::FILLED, cv::LINE_AA);
    cv::circle(picture, c, width * 15 / 100, {180, 175, 205}, cv::FILLED, cv::LINE_AA);
  }
  cv::GaussianBlur(picture, picture, {}, 0.02 * width);
  return picture;
}

// The area that has values, and whether all of them are finite.
cv::Rect seen(const cv::Mat& heat) {
  cv::Rect area;
  for (int y = 0; y < heat.rows; ++y)
    for (int x = 0; x < heat.cols; ++x)
      if (!std::isnan(heat.at<float>(y, x))) area |= cv::Rect(x, y, 1, 1);
  for (int y = area.y; y < area.y + area.height; ++y)
    for (int x = area.x; x < area.x + area.width; ++x) REQUIRE(std::isfinite(heat.at<float>(y, x)));
  return area;
}

double difference(const cv::Mat& a, const cv::Mat& b) {
  REQUIRE(a.size() == b.size());
  return cv::norm(a, b, cv::NORM_INF) / cv::norm(b, cv::NORM_INF);
}

}  // namespace

TEST_CASE("box cam: a box that was found in a window alone is explained there") {
  const Model model = Model::load("cells");
  const std::vector<cv::Point> cells{{700, 500}, {770, 530}};
  const cv::Mat picture = micrograph({1280, 960}, cells, 30);
  CHECK(Detector(model).run(picture).detections.empty());  // 10 pixels of the network's each
  const Detector detector(model, {.tile = 200});
  const Detections found = detector.run(picture).detections;
  REQUIRE(found.size() >= cells.size());
  const std::vector<PlacedMap> maps = box_cams(detector, picture, found);
  REQUIRE(maps.size() == found.size());
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const cv::Mat& heat = maps[i].heat;
    REQUIRE(heat.size() == picture.size());
    const cv::Rect window = seen(heat);
    const std::vector<cv::Rect> windows = detector.windows(picture.size());
    CHECK(std::count(windows.begin(), windows.end(), window) == 1);
    const cv::Rect box = to_pixels(found[i].box);
    CHECK((window & box).area() > box.area() / 2);
    // what the window alone gives, as a picture of its own
    const cv::Mat alone = picture(window).clone();
    Detection inside = found[i];
    inside.box = {inside.box.x1 - window.x, inside.box.y1 - window.y, inside.box.x2 - window.x, inside.box.y2 - window.y};
    const Detector plain(model);
    CHECK(difference(heat(window), box_cams(plain, alone, std::span(&inside, 1)).at(0).heat) < 1e-4);
    CHECK(cv::mean(heat(window & box))[0] > cv::mean(heat(window))[0]);
  }
}

TEST_CASE("box cam: a box that the whole picture shows keeps its map of the whole, windows or not") {
  const Model model = Model::load("cells");
  const cv::Mat picture = micrograph({640, 480}, {{160, 150}, {420, 300}});
  const Detector whole(model), windows(model, {.tile = 480});
  const Detections found = whole.run(picture).detections;
  REQUIRE(found.size() == 2);
  const std::vector<PlacedMap> maps = box_cams(whole, picture, found);
  for (const PlacedMap& map : maps) CHECK(seen(map.heat) == cv::Rect({}, picture.size()));
  CHECK(box_cams(windows, picture, windows.run(picture).detections).size() >= found.size());
}

TEST_CASE("box cam: boxes that only the mirror image shows, and boxes made of several windows' parts, have maps") {
  const Model model = Model::load("cells");
  const cv::Mat picture = micrograph({640, 480}, {{160, 150}, {420, 300}});
  const Detector flipped(model, {.flip = true});
  const Detections found = flipped.run(picture).detections;
  REQUIRE(!found.empty());
  for (const PlacedMap& map : box_cams(flipped, picture, found)) CHECK(seen(map.heat) == cv::Rect({}, picture.size()));
  // a box over two cells: no prediction overlaps it by half
  const Detection both{{100, 90, 480, 360}, found[0].label, 0.5};
  const PlacedMap map = box_cams(Detector(model), picture, std::span(&both, 1)).at(0);
  CHECK(seen(map.heat) == cv::Rect({}, picture.size()));
}
