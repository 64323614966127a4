#include "datasets/augment/mix.hpp"

#include <cmath>
#include <opencv2/imgcodecs.hpp>

#include "datasets/photos.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using test::fails_with;

namespace {

// Sample i holds the value i everywhere.
Tensor flat(std::int64_t n) {
  Tensor t = Tensor::empty({n, 3, 12, 16}, DType::f32, Layout::channels_last);
  for (std::int64_t i = 0; i < n; ++i) t.slice(0, i, i + 1).fill(static_cast<double>(i));
  return t;
}

}  // namespace

TEST_CASE("beta draws have the distribution's mean and variance") {
  for (const double alpha : {0.1, 0.4, 1.0, 3.0}) {
    Random random(3);
    double sum = 0, squares = 0;
    constexpr int kDraws = 20000;
    for (int i = 0; i < kDraws; ++i) {
      const double b = beta(alpha, random);
      REQUIRE((b >= 0 && b <= 1));
      sum += b, squares += b * b;
    }
    const double mean = sum / kDraws, variance = squares / kDraws - mean * mean;
    CHECK(std::abs(mean - 0.5) < 0.01);
    CHECK(variance == Approx(1 / (4 * (2 * alpha + 1))).epsilon(0.05));
  }
}

TEST_CASE("mixup blends pictures and labels by the same share, with the sample from the other end") {
  Tensor batch = flat(5), targets = one_hot(Tensor::from(std::vector<std::int64_t>{0, 1, 2, 3, 4}, {5}), 5);
  Random random(1);
  mix(batch, targets, {.mixup = 1}, random);
  for (std::int64_t i = 0; i < 5; ++i) {
    const auto pixels = batch.slice(0, i, i + 1).values(), label = targets.slice(0, i, i + 1).values();
    const double mine = label[static_cast<std::size_t>(i)];
    if (i != 2) CHECK(mine + label[static_cast<std::size_t>(4 - i)] == Approx(1));
    for (const double v : pixels)
      REQUIRE(v == Approx(i == 2 ? 2 : mine * static_cast<double>(i) + (1 - mine) * static_cast<double>(4 - i)).margin(1e-5));
  }
}

TEST_CASE("cutmix pastes a box and counts its pixels for the label") {
  int partly = 0;
  for (std::uint64_t k = 0; k < 50; ++k) {
    Tensor batch = flat(2), targets = one_hot(Tensor::from(std::vector<std::int64_t>{0, 1}, {2}), 2);
    Random random(2, k);
    mix(batch, targets, {.cutmix = 1}, random);
    for (std::int64_t i = 0; i < 2; ++i) {
      const auto pixels = batch.slice(0, i, i + 1).values();
      double mine = 0;
      for (const double v : pixels) {
        REQUIRE((v == 0 || v == 1));
        mine += v == static_cast<double>(i);
      }
      mine /= static_cast<double>(pixels.size());
      partly += mine > 0 && mine < 1;
      REQUIRE(targets.slice(0, i, i + 1).values()[static_cast<std::size_t>(i)] == Approx(mine).margin(1e-6));
    }
  }
  CHECK(partly > 50);
}

TEST_CASE("mixing: as often as asked, without labels too, never out of what there is") {
  Tensor batch = flat(4), none;
  Random random(1);
  mix(batch, none, {.mixup = 1, .mix_probability = 0}, random);
  CHECK(batch.values() == flat(4).values());
  mix(batch, none, {.mixup = 1}, random);
  CHECK(batch.values() != flat(4).values());
  CHECK(!none.defined());
  CHECK(one_hot(Tensor::from(std::vector<std::int64_t>{1, 0}, {2}), 3).values() == std::vector<double>{0, 1, 0, 1, 0, 0});
  CHECK(fails_with([] { one_hot(Tensor::from(std::vector<std::int64_t>{3}, {1}), 3); }, "below 3"));
}

TEST_CASE("random erasing replaces one rectangle of one sample by noise") {
  for (std::uint64_t k = 0; k < 50; ++k) {
    Tensor batch = Tensor::full({2, 3, 32, 40}, 9, DType::f32, Layout::channels_last);
    Random random(4, k);
    erase_at_random(batch, 1, random);
    for (const double v : batch.slice(0, 0, 1).values()) REQUIRE(v == 9);
    const float* p = batch.data<float>() + 32 * 40 * 3;
    int left = 40, right = -1, top = 32, bottom = -1, erased = 0;
    for (int y = 0; y < 32; ++y)
      for (int x = 0; x < 40; ++x)
        if (p[(y * 40 + x) * 3] != 9) {
          left = std::min(left, x), right = std::max(right, x), top = std::min(top, y), bottom = std::max(bottom, y);
          ++erased;
        }
    REQUIRE(erased == (right - left + 1) * (bottom - top + 1));
    CHECK((erased >= 0.015 * 32 * 40 && erased <= 0.36 * 32 * 40));
  }
}

TEST_CASE("photos: mixed batches carry soft labels that sum to 1; classes are drawn alike when balanced") {
  const test::Folder folder;
  std::vector<Sample> samples;
  for (int i = 0; i < 12; ++i) {
    const auto file = folder / (std::to_string(i) + ".png");
    REQUIRE(cv::imwrite(file.string(), cv::Mat(9, 9, CV_8UC3, cv::Scalar::all(20 * i))));
    samples.push_back({file, i == 0 ? 2 : 0});
  }
  PhotoSource::Options o;
  o.preprocess.height = o.preprocess.width = 8;
  o.batch = 6, o.classes = 3;
  o.augment.mixup = 0.4, o.augment.cutmix = 1, o.augment.erase = 0.5;
  const PhotoSource source(Photos(samples), o);
  const Batch b = source.batch(3);
  CHECK(b.target().shape() == Shape{6, 3});
  for (std::int64_t i = 0; i < 6; ++i) {
    const auto row = b.target().slice(0, i, i + 1).values();
    CHECK(row[0] + row[1] + row[2] == Approx(1));
  }
  CHECK(source.batch(3).input().values() == b.input().values());
  CHECK(source.batch(3).target().values() == b.target().values());

  o.augment = {};
  o.balance = true;
  int rare = 0;
  const PhotoSource balanced(Photos(samples), o);
  for (std::int64_t k = 0; k < 100; ++k)
    for (const double v : balanced.batch(k).target().values()) rare += v == 2;
  CHECK((rare > 240 && rare < 360));  // half of 600, though one picture of twelve

  o.classes = 2;
  CHECK(fails_with([&] { PhotoSource(Photos(samples), o); }, "label 2 of 2 classes"));
  o.classes = 0, o.augment.mixup = 1;
  CHECK(fails_with([&] { PhotoSource(Photos(samples), o); }, "number of classes"));
}
