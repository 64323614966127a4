// Pictures with regions: which files belong together, what the truth becomes, how regions are numbered and measured.
#include <cmath>
#include <fstream>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "datasets/image.hpp"
#include "datasets/regions/field_of_view.hpp"
#include "datasets/regions/measure.hpp"
#include "datasets/regions/picture.hpp"
#include "datasets/regions/split.hpp"
#include "datasets/scans/unit_range.hpp"
#include "modules/io/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/write_png.hpp"

using namespace fovea;
using namespace fovea::test;
namespace fs = std::filesystem;

namespace {

cv::Mat grey(int value, cv::Size size = {12, 8}) { return {size, CV_8UC1, cv::Scalar(value)}; }

cv::Mat disc(cv::Size size, cv::Point at, int radius) {
  cv::Mat m = cv::Mat::zeros(size, CV_8U);
  cv::circle(m, at, radius, cv::Scalar(255), cv::FILLED);
  return m;
}

std::vector<std::string> names(const std::vector<RegionFiles>& files) {
  std::vector<std::string> out;
  for (const RegionFiles& f : files) out.push_back(f.picture.stem().string());
  return out;
}

}  // namespace

TEST_CASE("regions: a folder's layouts") {
  const Folder folder;
  for (const char* name : {"b", "a", "c"}) write_png(folder / "two/images" / (std::string(name) + ".png"), grey(10));
  write_png(folder / "two/masks/lungs/a.png", grey(255));
  write_png(folder / "two/masks/heart/a.png", grey(255));
  write_png(folder / "two/masks/lungs/b.png", grey(255));
  fs::create_directories(folder / "two/objects/cells");
  write_png(folder / "two/objects/cells/a.png", grey(3));
  const RegionList list = list_regions(folder / "two", {"lungs", "heart", "cells"});
  REQUIRE(names(list.files) == std::vector<std::string>{"a", "b"});
  CHECK(list.files[0].objects == std::vector<bool>{false, false, true});
  CHECK(list.files[1].masks[1].empty());  // no heart on b
  REQUIRE(list.bad.size() == 1);          // c has nothing at all
  CHECK(list.bad[0].reason.find("no mask of that name") != std::string::npos);
  CHECK(fails_with([&] { list_regions(folder / "two", {"liver"}); }, "expected masks/liver"));
  CHECK(fails_with([&] { list_regions(folder / "none", {"liver"}); }, "expected the folders images and masks"));

  write_png(folder / "one/images/x.png", grey(1));
  write_png(folder / "one/labels/x.png", grey(1));
  CHECK(list_regions(folder / "one", {"cell"}).files.at(0).objects == std::vector<bool>{true});
}

TEST_CASE("regions: patterns, and the parts of a training") {
  const Folder folder;
  for (int i = 1; i <= 6; ++i) {
    const std::string name = "Image_0" + std::to_string(i);
    write_png(folder / "eyes" / (name + ".png"), grey(9));
    write_png(folder / "eyes" / (name + "_1stHO.png"), grey(255));
  }
  std::ofstream(folder / "folds.csv") << "name,fold\nImage_01,0\nImage_02,0\nImage_03,1\nImage_04,1\nImage_05,2\nImage_06,2\n";
  const auto parts = [&](const std::string& more) {
    return region_parts(
        Yaml::parse("data: {images: \"eyes/Image_0?.png\", masks: {vessel: \"eyes/{name}_1stHO.png\"}}\n" + more, "r.yaml"),
        {"vessel"}, folder.path());
  };
  const RegionParts named = parts("test: {names: [\"Image_05\", \"Image_06*\"]}\nvalidate: {every: 2}\n");
  CHECK(names(named.test) == std::vector<std::string>{"Image_05", "Image_06"});
  CHECK(names(named.validate) == std::vector<std::string>{"Image_01", "Image_03"});
  CHECK(names(named.train) == std::vector<std::string>{"Image_02", "Image_04"});
  CHECK(names(parts("test: {every: 3, from: 1}\n").test) == std::vector<std::string>{"Image_02", "Image_05"});
  CHECK(names(parts("folds: folds.csv\ntest: {fold: 1}\n").test) == std::vector<std::string>{"Image_03", "Image_04"});
  CHECK(fails_with([&] { parts("test: {fold: 1}\n"); }, "expected a table `folds`"));
  CHECK(fails_with([&] { parts("test: {every: 2, fold: 1}\n"); }, "got several"));
  CHECK(fails_with([&] { parts("test: {}\n"); }, "got none"));
  CHECK(fails_with([&] { parts("test: {names: [\"*\"]}\n"); }, "no picture is left to train with"));
  CHECK(fails_with([&] { parts("test: {names: [x]}\n"); }, "no picture belongs to this part"));
  // A table may lie beside the recipe.
  fs::create_directories(folder / "recipes");
  fs::rename(folder / "folds.csv", folder / "recipes/folds.csv");
  CHECK(folds_file(Yaml::parse("folds: folds.csv", (folder / "recipes/r.yaml").string()), folder.path()) ==
        folder / "recipes/folds.csv");
  std::ofstream(folder / "folds.csv") << "name,fold\nImage_01,0\n";
  CHECK(fails_with([&] { parts("folds: folds.csv\ntest: {fold: 0}\n"); }, "does not name 'Image_02'"));
  std::ofstream(folder / "folds.csv") << "name,fold\nImage_01,x\n";
  CHECK(fails_with([&] { parts("folds: folds.csv\ntest: {fold: 0}\n"); }, "folds.csv:2: fold: expected a whole number"));
  CHECK(fails_with(
      [&] { region_parts(Yaml::parse("data: {images: \"eyes/*.png\", masks: {vessel: eyes}}", "r"), {"vessel"}, folder.path()); },
      "expected a path with {name}"));
}

TEST_CASE("regions: masks and objects as the network sees them") {
  const Folder folder;
  const cv::Size size(40, 20);
  cv::Mat objects(size, CV_16U, cv::Scalar(0));
  objects.setTo(300, disc(size, {10, 10}, 6));
  objects.setTo(7, disc(size, {23, 10}, 6));
  write_png(folder / "d/images/x.png", cv::Mat(size, CV_16UC1, cv::Scalar(30000)));
  write_png(folder / "d/objects/x.png", objects);
  const RegionList list = list_regions(folder / "d", {"cell"});
  Preprocess p = Preprocess::none(1);
  const RegionPicture picture = read_region_picture(list.files.at(0), p).at(0);
  CHECK(picture.values.at<float>(3, 3) == Approx(30000 / 65535.0));
  CHECK(cv::countNonZero(picture.truth.masks[0]) == cv::countNonZero(objects));
  CHECK(picture.truth.objects[0].at<int>(10, 10) == 300);

  // Each object is 1 in its middle and small at its edge, also where two touch.
  const cv::Mat distance = object_distance(picture.truth.objects[0]);
  CHECK(distance.at<float>(10, 10) == 1);
  CHECK(distance.at<float>(10, 23) == 1);
  CHECK(distance.at<float>(10, 16) < 0.3f);
  CHECK(distance.at<float>(0, 0) == 0);
  const cv::Mat edges = signed_distance(picture.truth.masks[0]);
  CHECK(edges.at<float>(10, 10) < -5);
  CHECK(edges.at<float>(0, 39) > 8);

  // Half the size: a pixel belongs where half of it does.
  p.resize = Preprocess::Resize::stretch, p.width = 20, p.height = 10;
  const RegionPicture half = fitted(picture, p);
  CHECK(half.values.size() == cv::Size(20, 10));
  CHECK(half.truth.masks[0].size() == cv::Size(20, 10));
  CHECK(std::abs(4 * cv::countNonZero(half.truth.masks[0]) - cv::countNonZero(objects)) < 40) /* half a pixel around */;
  CHECK(half.truth.objects[0].at<int>(5, 5) == 300);

  write_png(folder / "bad/images/x.png", grey(1));
  write_png(folder / "bad/masks/x.png", grey(1, {3, 3}));
  const RegionPictures bad = read_region_pictures(list_regions(folder / "bad", {"cell"}).files, Preprocess::none(1));
  CHECK(bad.all.empty());
  CHECK(bad.bad.at(0).reason.find("expected a mask of 12x8 pixels as its picture, got 3x3") != std::string::npos);
}

TEST_CASE("regions: objects that touch are told apart, in one order on every machine") {
  const cv::Size size(40, 20);
  cv::Mat objects = cv::Mat::zeros(size, CV_32S);
  objects.setTo(1, disc(size, {10, 10}, 7));
  objects.setTo(2, disc(size, {23, 10}, 7));
  const cv::Mat mask = objects != 0, distance = object_distance(objects);
  double most = 0;
  cv::minMaxLoc(connected_regions(mask), nullptr, &most);
  CHECK(most == 1);
  const cv::Mat apart = separated_objects(mask, distance, 0.5);
  cv::minMaxLoc(apart, nullptr, &most);
  CHECK(most == 2);
  CHECK(apart.at<int>(10, 10) != apart.at<int>(10, 23));
  CHECK(cv::countNonZero(apart != 0) == cv::countNonZero(mask));
  CHECK(cv::countNonZero((apart == apart.at<int>(10, 10)) != (objects == 1)) < 12);
  // A part of the mask without a middle stays, as a region of its own; small ones go when asked.
  cv::Mat more = mask.clone();
  more(cv::Rect(36, 2, 2, 2)).setTo(255);
  cv::minMaxLoc(separated_objects(more, distance, 0.5), nullptr, &most);
  CHECK(most == 3);
  cv::minMaxLoc(without_small(separated_objects(more, distance, 0.5), 5), nullptr, &most);
  CHECK(most == 2);
}

TEST_CASE("regions: sizes") {
  cv::Mat regions = cv::Mat::zeros(60, 80, CV_32S), values(60, 80, CV_32F), p(60, 80, CV_32F, cv::Scalar(0.8));
  regions(cv::Rect(5, 7, 20, 10)).setTo(4);
  regions(cv::Rect(40, 20, 30, 1)).setTo(9);
  for (int y = 0; y < 60; ++y)
    for (int x = 0; x < 80; ++x) values.at<float>(y, x) = static_cast<float>(x);
  const PixelSpacing spacing{0.5, 0.25};
  const auto m = measure_regions(regions, values, p, {}, spacing);
  REQUIRE(m.size() == 2);
  CHECK(m[0].number == 4);
  CHECK(m[0].box == cv::Rect(5, 7, 20, 10));
  CHECK(m[0].centre == cv::Point2d(14.5, 11.5));
  CHECK(m[0].pixels == 200);
  CHECK(m[0].diameter == Approx(std::hypot(20, 10)));
  CHECK(*m[0].area_mm2 == Approx(200 * 0.125));
  CHECK(*m[0].diameter_mm == Approx(std::hypot(20 * 0.25, 10 * 0.5)));
  CHECK(m[0].mean == Approx(14.5));
  CHECK(m[0].deviation == Approx(std::sqrt((20.0 * 20 - 1) / 12)));
  CHECK(m[0].least == 5);
  CHECK(m[0].most == 24);
  CHECK(m[0].confidence == Approx(0.8));
  CHECK(m[1].length == 29);  // from the first pixel's middle to the last's
  CHECK(*m[1].length_mm == Approx(29 * 0.25));
  CHECK_FALSE(measure_regions(regions, values, p, {}, {})[0].area_mm2);
}

TEST_CASE("regions: centre lines are thin, whole, and as long as what they stand for") {
  cv::Mat ring = cv::Mat::zeros(120, 120, CV_8U);
  cv::circle(ring, {60, 60}, 40, cv::Scalar(255), 7);
  const cv::Mat line = centre_lines(ring);
  CHECK(cv::countNonZero(line) > 200);
  cv::Mat parts;
  CHECK(cv::connectedComponents(line, parts, 8) == 2);               // one, and the background
  CHECK(cv::connectedComponents(line == 0, parts, 4, CV_32S) == 3);  // it still closes: inside and outside
  cv::Mat regions;
  ring.convertTo(regions, CV_32S, 1 / 255.0);
  const auto m = measure_regions(regions, ring, cv::Mat::ones(ring.size(), CV_32F), {}, {});
  CHECK(m.at(0).length == Approx(2 * std::numbers::pi * 40).epsilon(0.08));  // steps of eight directions are longer than an arc
}

TEST_CASE("regions: slices that overlap are one region") {
  std::vector<cv::Mat> slices;
  for (int i = 0; i < 3; ++i) slices.push_back(cv::Mat::zeros(10, 10, CV_32S));
  slices[0](cv::Rect(0, 0, 3, 3)).setTo(1);
  slices[1](cv::Rect(2, 2, 5, 2)).setTo(1);
  slices[1](cv::Rect(0, 8, 2, 2)).setTo(2);
  slices[2](cv::Rect(6, 2, 3, 3)).setTo(1);
  join_slices(slices);
  CHECK(slices[0].at<int>(0, 0) == 1);
  CHECK(slices[1].at<int>(2, 2) == 1);
  CHECK(slices[2].at<int>(4, 8) == 1);
  CHECK(slices[1].at<int>(9, 0) == 2);
  // Two that meet later.
  std::vector<cv::Mat> fork{cv::Mat::zeros(4, 9, CV_32S), cv::Mat::zeros(4, 9, CV_32S)};
  fork[0](cv::Rect(0, 0, 2, 2)).setTo(1), fork[0](cv::Rect(6, 0, 2, 2)).setTo(2);
  fork[1](cv::Rect(0, 1, 9, 1)).setTo(1);
  join_slices(fork);
  CHECK(fork[0].at<int>(0, 0) == fork[0].at<int>(0, 6));
}

TEST_CASE("field of view: a round picture on black, and one without a rim") {
  cv::Mat picture(200, 220, CV_32FC3, cv::Scalar::all(0.01));
  cv::circle(picture, {110, 100}, 80, cv::Scalar(0.1, 0.3, 0.6), cv::FILLED);
  cv::circle(picture, {100, 90}, 10, cv::Scalar::all(0.02), cv::FILLED);  // a dark spot inside belongs to it
  const double area = cv::countNonZero(field_of_view(picture));
  CHECK(area == Approx(std::numbers::pi * 80 * 80).epsilon(0.08));
  CHECK(cv::countNonZero(field_of_view(cv::Mat(50, 60, CV_32FC3, cv::Scalar::all(0.5)))) == 3000);
}

TEST_CASE("unit range: depth, percentiles, a window of the modality's units") {
  Preprocess p = Preprocess::none(1);
  CHECK(unit_range(cv::Mat(2, 2, CV_8U, cv::Scalar(51)), p).at<float>(0, 0) == Approx(0.2));
  cv::Mat hu = (cv::Mat_<float>(1, 5) << -2000, -160, 40, 240, NAN);
  p.range = Preprocess::Range::window, p.window_width = 400, p.window_level = 40;
  const cv::Mat shown = unit_range(hu, p, -2000);
  CHECK(shown.at<float>(0, 0) == 0);
  CHECK(shown.at<float>(0, 1) == Approx(0).margin(1e-6));
  CHECK(shown.at<float>(0, 2) == Approx(0.5));
  CHECK(shown.at<float>(0, 3) == Approx(1));
  CHECK(shown.at<float>(0, 4) == 0);
  p.range = Preprocess::Range::percentiles;
  cv::Mat ramp(1, 1001, CV_32F);
  for (int i = 0; i < 1001; ++i) ramp.at<float>(0, i) = static_cast<float>(i);
  CHECK(unit_range(ramp, p).at<float>(0, 500) == Approx(0.5));
  CHECK(unit_range(ramp, p).at<float>(0, 1000) == 1);
  CHECK(unit_range(cv::Mat(3, 3, CV_8U, cv::Scalar(9)), p).at<float>(1, 1) ==
        Approx(0.5).margin(0.5));  // flat: no matter what, but a number
}

TEST_CASE("unit range: local contrast shows a dark corner as it shows the light, and leaves the background out") {
  // Stripes on a ground of brightness 0.8 on the left and 0.1 on the right, beside 64 columns of background.
  cv::Mat picture(96, 256, CV_32F, cv::Scalar(0.01));
  for (int y = 0; y < picture.rows; ++y)
    for (int x = 0; x < 192; ++x) picture.at<float>(y, x) = (x < 96 ? 0.8f : 0.1f) * (y % 8 < 2 ? 0.7f : 1.0f);
  cv::Mat pixels;
  picture.convertTo(pixels, CV_16U, 65535);
  Preprocess p = Preprocess::none(1);
  p.local_contrast = 6, p.background = 0.03;
  const cv::Mat seen = unit_range(pixels, p);
  const auto depth = [&](int x) { return seen.at<float>(52, x) - seen.at<float>(48, x); };  // ground less stripe
  // Where nothing else is near, a stripe's depth over the spread is (0.3 b) / (0.3 b sqrt(1/4 * 3/4) + 0.005), a sixth of it is seen.
  const auto expected = [](double b) { return 0.3 * b / (6 * (0.3 * b * std::sqrt(0.1875) + 0.005)); };
  // The Gaussian of 6 pixels over a period of 8 keeps exp(-2 (pi 6 / 8)^2) < 2e-5 of the stripes, 1 % covers the window's cut.
  CHECK(depth(40) == Approx(expected(0.8)).epsilon(0.01));
  CHECK(depth(150) == Approx(expected(0.1)).epsilon(0.01));
  CHECK(depth(190) == Approx(expected(0.1)).epsilon(0.01));  // the background beside it counts for nothing
  CHECK(seen.at<float>(48, 220) == 0);
  // Stored with white as the lowest value it is the same picture.
  cv::Mat other_way;
  cv::subtract(cv::Scalar(65535), pixels, other_way);
  CHECK(cv::norm(unit_range(other_way, p, {}, true), seen, cv::NORM_INF) < 1e-4);
}
