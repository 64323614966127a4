#include "datasets/augment/transforms.hpp"

#include <opencv2/imgproc.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/images.hpp"

using namespace fovea;

namespace {

cv::Mat changed(const cv::Mat& image, const std::string& name, double strength, int way) {
  cv::Mat m = image.clone();
  apply_transform(m, name, strength, way);
  return m;
}

bool equal(const cv::Mat& a, const cv::Mat& b) {
  return a.size() == b.size() && a.type() == b.type() && cv::norm(a, b, cv::NORM_INF) == 0;
}

cv::Vec3b pixel(const cv::Vec3b& colour, const std::string& name, double strength, int way = 1) {
  return changed(cv::Mat(5, 5, CV_8UC3, cv::Scalar(colour)), name, strength, way).at<cv::Vec3b>(2, 2);
}

}  // namespace

TEST_CASE("changes: each keeps size and type; those with a strength do nothing at 0 and something at 1") {
  const cv::Mat image = test::noise(31, 22, CV_8UC3, 8), dot = test::noise(1, 1, CV_8UC3);
  CHECK(transforms().size() == 14);
  for (const std::string& name : transforms()) {
    INFO(name);
    const bool steady = name == "identity" || name == "autocontrast" || name == "equalize";
    if (!steady) {
      CHECK(equal(changed(image, name, 0, 1), image));
      CHECK(!equal(changed(image, name, 1, 1), image));
    }
    for (const int way : {1, -1})
      for (const double strength : {0.3, 1.0}) {
        CHECK(changed(image, name, strength, way).size() == image.size());
        CHECK(changed(image, name, strength, way).type() == CV_8UC3);
        CHECK(changed(dot, name, strength, way).size() == dot.size());
      }
  }
  CHECK(test::fails_with([&] { changed(image, "swirl", 1, 1); }, "no transform 'swirl'"));
}

TEST_CASE("changes: by hand") {
  CHECK(pixel({10, 100, 250}, "posterize", 1) == cv::Vec3b(0, 96, 240));
  CHECK(pixel({10, 100, 250}, "solarize", 0.5) == cv::Vec3b(10, 100, 5));
  CHECK(pixel({10, 100, 250}, "brightness", 1, -1) == cv::Vec3b(1, 10, 25));
  cv::Mat image(3, 20, CV_8UC3, cv::Scalar::all(50));
  image.col(4).setTo(cv::Scalar::all(200));
  const cv::Mat moved = changed(image, "translate_x", 1, 1);  // 9 pixels to the left, grey behind
  CHECK(moved.at<cv::Vec3b>(1, 10) == cv::Vec3b(50, 50, 50));
  CHECK(moved.at<cv::Vec3b>(1, 11) == cv::Vec3b(128, 128, 128));
  CHECK(changed(image, "translate_x", 1, -1).at<cv::Vec3b>(1, 13) == cv::Vec3b(200, 200, 200));
  const cv::Mat stretched = changed(image, "autocontrast", 0, 1);
  CHECK((stretched.at<cv::Vec3b>(0, 0)[0] == 0 && stretched.at<cv::Vec3b>(0, 4)[1] == 255));
}

TEST_CASE("changes: drawn from the generator alone, and all of them in time") {
  const cv::Mat image = test::noise(20, 16, CV_8UC3, 9);
  Augment a;
  a.crop = false, a.flip = 0, a.rand_augment = 2, a.magnitude = 15;
  Preprocess p;
  p.height = 16, p.width = 20, p.resize = Preprocess::Resize::stretch;
  int different = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    Random one(3, i), two(3, i);
    const cv::Mat first = augmented(image, p, a, one);
    REQUIRE(equal(first, augmented(image, p, a, two)));
    different += !equal(first, image);
  }
  CHECK(different > 80);
  CHECK(test::fails_with([] { read_augment(Yaml::parse("magnitude: 31", "r")); }, "magnitude from 0 to 30"));
  CHECK(test::fails_with([] { read_augment(Yaml::parse("mixup: -1", "r")); }, "mixup and cutmix"));
}
