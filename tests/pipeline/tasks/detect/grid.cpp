// What a detector's numbers mean: boxes from outputs, alike in training and in use, and on the picture's own pixels.
#include "pipeline/tasks/detect/grid.hpp"

#include <cmath>

#include "modules/core/random.hpp"
#include "pipeline/tasks/detect/decode.hpp"
#include "pipeline/tasks/detect/windows.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

double inverse_softplus(double d) { return d > 20 ? d : std::log(std::expm1(d)); }

// Outputs of a head that says nothing anywhere.
NamedTensors silence(const BoxCoding& coding, std::int64_t classes, int height, int width) {
  NamedTensors all;
  for (const char* name : {"class.", "box."})
    for (const int stride : coding.strides) {
      const std::int64_t channels = coding.per_position() * (name[0] == 'c' ? classes : coding.box_channels());
      all.add(name + std::to_string(stride),
              Tensor::full({1, channels, (height + stride - 1) / stride, (width + stride - 1) / stride}, -20, DType::f32,
                           Layout::channels_last));
    }
  return all;
}

// Makes the position that holds the box's middle say it, on the level of that stride.
void say(NamedTensors& outputs, const Box& box, std::int64_t label, int stride, double logit) {
  const auto column = static_cast<std::int64_t>((box.x1 + box.x2) / 2 / stride),
             row = static_cast<std::int64_t>((box.y1 + box.y2) / 2 / stride);
  const double x = (static_cast<double>(column) + 0.5) * stride, y = (static_cast<double>(row) + 0.5) * stride;
  Tensor &classes = outputs.at("class." + std::to_string(stride)), &boxes = outputs.at("box." + std::to_string(stride));
  const std::int64_t position = row * classes.dim(3) + column;
  classes.data<float>()[position * classes.dim(1) + label] = static_cast<float>(logit);
  const double sides[] = {x - box.x1, y - box.y1, box.x2 - x, box.y2 - y};
  for (int i = 0; i < 4; ++i) boxes.data<float>()[position * 4 + i] = static_cast<float>(inverse_softplus(sides[i] / stride));
}

}  // namespace

TEST_CASE("detect grid: a prediction for every position, finest level first") {
  const DetectGrid grid({.strides = {8, 16}}, 3, 20, 33);
  CHECK(grid.size() == 3 * 5 + 2 * 3);
  CHECK(grid.places()[1].x == 12);
  CHECK(grid.places()[15].x == 8);
  CHECK(grid.level_of(14) == 0);
  CHECK(grid.level_of(15) == 1);
  const DetectGrid anchored({.strides = {8}, .anchors = {{2, 4}, {4, 4}}}, 3, 16, 16);
  CHECK(anchored.size() == 8);
  CHECK(anchored.places()[2].x == 12);
  CHECK(anchored.places()[2].height == 32);
}

TEST_CASE("detect grid: boxes from distances, bins and anchors") {
  const DetectGrid plain({.strides = {8}}, 1, 16, 16);
  const float z[] = {0, 1, -2, 30};
  const BoxF box = plain.decode(plain.places()[0], z);
  CHECK(box.x1 == Approx(4 - 8 * std::log(2.0)));
  CHECK(box.y1 == Approx(4 - 8 * std::log1p(std::exp(1.0))));
  CHECK(box.x2 == Approx(4 + 8 * std::log1p(std::exp(-2.0))));
  CHECK(box.y2 == Approx(4 + 8 * 30.0));

  const DetectGrid binned({.strides = {8}, .bins = 3}, 1, 16, 16);
  const float b[] = {0, 0, 0, 100, 0, 0, 0, 0, 100, 0, 100, 0};  // means 1, 0, 2, 1
  const BoxF mean = binned.decode(binned.places()[0], b);
  CHECK(mean.x1 == Approx(4 - 8));
  CHECK(mean.y1 == Approx(4));
  CHECK(mean.x2 == Approx(4 + 16));
  CHECK(mean.y2 == Approx(4 + 8));

  const DetectGrid anchored({.strides = {8}, .anchors = {{2, 4}}}, 1, 16, 16);
  const float a[] = {0.5f, -0.25f, 0, static_cast<float>(std::log(2.0))};  // 16 x 32 at (4, 4)
  const BoxF moved = anchored.decode(anchored.places()[0], a);
  CHECK(moved.x1 == Approx(12 - 8));
  CHECK(moved.x2 == Approx(12 + 8));
  CHECK(moved.y1 == Approx(-4 - 32));
  CHECK(moved.y2 == Approx(-4 + 32));
}

TEST_CASE("detect: boxes come back to the picture's own pixels, whatever its size and proportions") {
  const BoxCoding coding{.strides = {8, 16, 32}};
  Random random(4);
  for (int trial = 0; trial < 300; ++trial) {
    Preprocess p;
    p.width = 320, p.height = 256;
    p.resize = std::vector{Preprocess::Resize::letterbox, Preprocess::Resize::stretch, Preprocess::Resize::none}[trial % 3];
    const auto side = [&] { return 300 + static_cast<int>(random.below(600)); };
    const cv::Size size = p.resize == Preprocess::Resize::none ? cv::Size(320, 256) : cv::Size(side(), side());
    const Geometry g = geometry_of(size, p);
    const double w = size.width, h = size.height;
    const double left = 0.5 * w * random.uniform(), top = 0.5 * h * random.uniform();
    const Box truth{left, top, left + 0.15 * w + 0.35 * w * random.uniform(), top + 0.15 * h + 0.35 * h * random.uniform()};
    const Box on_network = from_pixels(g.to_network(on_pixels(truth)));
    // Distances are above 0: the middle of a cell must lie in the box.
    int stride = 8;
    while (stride < 32 && std::min(on_network.width(), on_network.height()) > 2.2 * stride) stride *= 2;
    NamedTensors outputs = silence(coding, 3, g.network.height, g.network.width);
    say(outputs, on_network, 2, stride, 3);
    const Detections found = decode(outputs, coding, 3, g, {.confidence = 0.5});
    CAPTURE(size, trial);
    REQUIRE(found.size() == 1);
    CHECK(found[0].label == 2);
    CHECK(found[0].score == Approx(1 / (1 + std::exp(-3.0))));
    const double pixel = std::max({g.scale_x, g.scale_y, 1.0});
    CHECK(found[0].box.x1 == Approx(truth.x1).margin(1e-3 * pixel));
    CHECK(found[0].box.y1 == Approx(truth.y1).margin(1e-3 * pixel));
    CHECK(found[0].box.x2 == Approx(truth.x2).margin(1e-3 * pixel));
    CHECK(found[0].box.y2 == Approx(truth.y2).margin(1e-3 * pixel));
  }
}

TEST_CASE("detect: numbers that are none are refused, the surest candidates are kept") {
  const BoxCoding coding{.strides = {8}};
  const Preprocess p = [] {
    Preprocess q;
    q.width = q.height = 64, q.resize = Preprocess::Resize::stretch;
    return q;
  }();
  const Geometry g = geometry_of({64, 64}, p);
  NamedTensors outputs = silence(coding, 1, 64, 64);
  for (int i = 0; i < 8; ++i) say(outputs, {8.0 * i + 1, 1, 8.0 * i + 7, 7}, 0, 8, i);
  const Detections best = decode(outputs, coding, 1, g, {.confidence = 0.01, .candidates = 3});
  REQUIRE(best.size() == 3);
  CHECK(best[0].box.x1 == Approx(57).margin(1e-3));
  outputs.at("class.8").data<float>()[5] = std::nanf("");
  CHECK(fails_with([&] { decode(outputs, coding, 1, g, {}); }, "a class logit is not finite"));
}

TEST_CASE("detect windows: they cover the picture, and a whole box wins over its parts") {
  for (const cv::Size size : {cv::Size(100, 100), cv::Size(101, 640), cv::Size(1000, 333)}) {
    const auto windows = windows_over(size, 128, 0.25);
    cv::Mat seen = cv::Mat::zeros(size, CV_8U);
    for (const cv::Rect& w : windows) {
      CHECK((w & cv::Rect({}, size)) == w);
      seen(w) = 1;
    }
    CHECK((windows.empty() ? size == cv::Size(100, 100) : cv::countNonZero(seen) == size.area()));
  }
  WindowBoxes merged({300, 100}, {.iou = 0.5});
  merged.add({0, 0, 100, 100}, {{{80, 10, 100, 30}, 0, 0.95}, {{40, 60, 100, 80}, 0, 0.5}});  // the left parts of two objects
  merged.add({75, 0, 100, 100}, {{{5, 10, 55, 30}, 0, 0.9}, {{0, 60, 100, 80}, 0, 0.6}});     // one whole, one cut on both sides
  merged.add({150, 0, 100, 100}, {{{0, 60, 60, 80}, 0, 0.7}, {{30, 5, 40, 15}, 1, 0.8}});
  const Detections found = merged.result();
  REQUIRE(found.size() == 3);
  CHECK(found[0].box == Box{80, 10, 130, 30});
  CHECK(found[1].box == Box{180, 5, 190, 15});
  CHECK(found[2].box == Box{40, 60, 210, 80});
}
