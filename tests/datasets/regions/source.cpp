// Training crops: picture and truth move together, batches depend on their number alone.
#include "datasets/regions/source.hpp"

#include <cmath>
#include <opencv2/imgproc.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using test::fails_with;

namespace {

// A picture that is its own truth: bright where the class is.
RegionPicture picture(int seed, cv::Size size = {64, 48}) {
  cv::RNG random(static_cast<std::uint64_t>(seed) + 1);
  RegionPicture p;
  p.files.masks = {"m.png"}, p.files.objects = {false};
  cv::Mat mask = cv::Mat::zeros(size, CV_8U);
  for (int i = 0; i < 4; ++i)
    cv::circle(mask, {random.uniform(8, size.width - 8), random.uniform(8, size.height - 8)}, 7, cv::Scalar(1), cv::FILLED);
  mask.convertTo(p.values, CV_32F);
  p.truth = {{mask}, {cv::Mat()}};
  return p;
}

RegionSourceOptions options() {
  RegionSourceOptions o;
  o.preprocess = Preprocess::none(1);
  o.crop = 32, o.batch = 4, o.seed = 5;
  return o;
}

bool same(const Tensor& a, const Tensor& b) { return a.values() == b.values(); }

}  // namespace

TEST_CASE("regions: picture and truth take the same way") {
  RegionSourceOptions o = options();
  o.augment.flip = o.augment.flip_vertical = 0.5;
  o.augment.rotate = 180, o.augment.rotate90 = true;
  o.augment.scale_low = 0.7, o.augment.scale_high = 1.4;
  o.augment.elastic = 3, o.augment.elastic_grid = 16;
  o.distance = o.edges = true;
  const RegionSource source({picture(0), picture(1), picture(2)}, o);
  double different = 0, pixels = 0;
  for (int k = 0; k < 8; ++k) {
    const Batch b = source.batch(k);
    const std::vector<double> image = b.input().values(), mask = b.targets.at("mask").values(),
                              distance = b.targets.at("distance").values(), edges = b.targets.at("edges").values();
    for (std::size_t i = 0; i < image.size(); ++i) {
      ++pixels, different += (image[i] >= 0.5) != (mask[i] == 1);
      if (mask[i] == 0) CHECK(distance[i] < 0.45);
      CHECK((edges[i] < 0) == (mask[i] == 1));
    }
  }
  CHECK(different / pixels < 1e-3);  // values at exactly one half
}

TEST_CASE("regions: batches depend on seed and number alone, and every picture comes once an epoch") {
  RegionSourceOptions o = options();
  o.augment.gamma = 0.5, o.augment.noise = 0.1, o.augment.bias_field = 0.2, o.augment.contrast = 0.3, o.augment.blur = 1;
  const RegionSource a({picture(0), picture(1)}, o), b({picture(0), picture(1)}, o);
  a.batch(0);
  CHECK(same(a.batch(3).input(), b.batch(3).input()));
  CHECK_FALSE(same(a.batch(3).input(), a.batch(4).input()));
  o.seed = 6;
  CHECK_FALSE(same(RegionSource({picture(0), picture(1)}, o).batch(3).input(), a.batch(3).input()));
  for (const double v : a.batch(7).input().values()) CHECK((v >= 0 && v <= 1));
}

TEST_CASE("regions: balanced crops have a class in their middle") {
  RegionPicture rare = picture(0, {256, 256});
  rare.truth.masks[0].setTo(0);
  rare.truth.masks[0](cv::Rect(36, 199, 3, 3)).setTo(1);
  RegionSourceOptions o = options();
  o.balance = 1;
  const RegionSource source({rare}, o);
  // Where nothing is turned the very pixels of the picture are seen.
  const RegionPicture as_it_is = picture(3);
  const std::vector<double> seen = RegionSource({as_it_is}, options()).batch(0).input().values();
  for (const double v : seen) CHECK((v == 0 || v == 1));
  for (int k = 0; k < 4; ++k)
    for (std::int64_t i = 0; i < 4; ++i) {
      double there = 0;
      const Batch batch = source.batch(k);
      for (const double v : batch.targets.at("mask").slice(0, i, i + 1).values()) there += v;
      CHECK(there == 9);
    }
}

TEST_CASE("regions: whole pictures have a letterbox's border") {
  RegionSourceOptions o = options();
  o.crop = 0;
  o.preprocess.resize = Preprocess::Resize::letterbox, o.preprocess.width = o.preprocess.height = 32;
  o.preprocess.mean = {0}, o.preprocess.stddev = {1}, o.preprocess.pad = {0.25};
  const Batch batch = RegionSource({picture(0, {64, 32})}, o).batch(0);
  CHECK(batch.input().shape() == Shape{4, 1, 32, 32});
  CHECK(batch.input().values()[0] == Approx(0.25));
  CHECK(batch.targets.at("mask").values()[0] == 0);
  CHECK(fails_with([&] { RegionSource({}, o); }, "there is no picture with regions"));
  o.preprocess.resize = Preprocess::Resize::none;
  CHECK(fails_with([&] { RegionSource({picture(0)}, o); }, "expected a crop"));
}
