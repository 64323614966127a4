#include "datasets/boxes/source.hpp"

#include <cmath>
#include <ctime>
#include <functional>
#include <map>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <set>

#include "modules/core/threads.hpp"
#include "modules/io/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/images.hpp"

using namespace fovea;
using test::fails_with;
namespace fs = std::filesystem;

namespace {

// `count` pictures of one grey each, 10 apart, so that pixels tell which it is; each has one object, whose class is its number.
std::vector<AnnotatedImage> greys(const test::Folder& folder, int count) {
  std::vector<AnnotatedImage> images;
  for (int i = 0; i < count; ++i) {
    const fs::path file = folder / (std::to_string(i) + ".png");
    REQUIRE(cv::imwrite(file.string(), cv::Mat(20, 30, CV_8UC3, cv::Scalar::all(10 * i))));
    images.push_back({file, i + 1, {30, 20}, {{{3, 4, 15, 10}, i}}});
  }
  return images;
}

BoxSource::Options plain(int batch, std::uint64_t seed = 1) {
  BoxSource::Options o;
  o.preprocess.width = 60, o.preprocess.height = 60, o.preprocess.resize = Preprocess::Resize::letterbox;
  o.preprocess.mean = {0, 0, 0}, o.preprocess.stddev = {1, 1, 1}, o.preprocess.pad = {0.5, 0.5, 0.5};
  o.augment.scale_low = o.augment.scale_high = 1, o.augment.translate = o.augment.flip = 0;
  o.batch = batch, o.seed = seed;
  return o;
}

BoxSource::Options strong(int batch, std::uint64_t seed = 1) {
  BoxSource::Options o = plain(batch, seed);
  o.augment = {};
  o.augment.mosaic = o.augment.mixup = o.augment.copy_paste = o.augment.rotate90 = 0.5;
  o.augment.colour.brightness = 0.2, o.augment.blur = 1, o.augment.noise = 5;
  return o;
}

std::vector<std::int64_t> labels_of(const Batch& b) {
  const Tensor& t = b.targets.at("labels");
  return {t.data<std::int64_t>(), t.data<std::int64_t>() + t.size()};
}

bool same(const Batch& a, const Batch& b) {
  return a.input().values() == b.input().values() && a.targets.at("boxes").values() == b.targets.at("boxes").values() &&
         labels_of(a) == labels_of(b);
}

}  // namespace

TEST_CASE("box source: what a batch holds") {
  const test::Folder folder;
  auto images = greys(folder, 3);
  images[0].annotations.clear();
  images[1].annotations.push_back({{0, 0, 30, 20}, 5, true});
  const Batch b = BoxSource(images, plain(3)).batch(0);
  REQUIRE(b.input().shape() == Shape{3, 3, 60, 60});
  CHECK((b.input().dtype() == DType::f32 && b.input().is_dense(Layout::channels_last)));
  REQUIRE(b.targets.at("boxes").shape() == Shape{3, 2, 4});
  REQUIRE(b.targets.at("labels").shape() == Shape{3, 2});
  const std::vector<std::int64_t> labels = labels_of(b);
  const std::vector<double> boxes = b.targets.at("boxes").values();
  for (std::size_t i = 0; i < 3; ++i) {
    const auto row = static_cast<std::int64_t>(i);
    const double grey = b.input().slice(0, row, row + 1).values()[60 * 30 + 30] * 255;  // the middle, whatever the layout
    const auto which = static_cast<int>(std::lround(grey / 10));
    const std::vector<double> mine(boxes.begin() + static_cast<std::ptrdiff_t>(8 * i),
                                   boxes.begin() + static_cast<std::ptrdiff_t>(8 * i + 8));
    const std::vector<double> first{6, 18, 30, 30}, none(4, 0), all{0, 10, 60, 50};
    const auto joined = [](std::vector<double> x, const std::vector<double>& y) {
      return x.insert(x.end(), y.begin(), y.end()), x;
    };
    if (which == 0) CHECK((labels[2 * i] == -1 && labels[2 * i + 1] == -1 && mine == joined(none, none)));
    if (which == 1) CHECK((labels[2 * i] == 1 && labels[2 * i + 1] == -7 && mine == joined(first, all)));
    if (which == 2) CHECK((labels[2 * i] == 2 && labels[2 * i + 1] == -1 && mine == joined(first, none)));
  }
  images.resize(1);
  CHECK(BoxSource(images, plain(2)).batch(0).targets.at("boxes").shape() == Shape{2, 1, 4});
}

TEST_CASE("box source: an epoch shows every picture once; batch k depends on the seed and k alone") {
  const test::Folder folder;
  const auto images = greys(folder, 9);
  const BoxSource source(images, plain(3)), other(images, plain(3, 2));
  CHECK(source.epoch() == 9);
  std::vector<std::int64_t> first, second, others;
  for (std::int64_t k = 0; k < 6; ++k)
    for (const std::int64_t label : labels_of(source.batch(k))) (k < 3 ? first : second).push_back(label);
  for (std::int64_t k = 0; k < 3; ++k)
    for (const std::int64_t label : labels_of(other.batch(k))) others.push_back(label);
  CHECK((first != second && first != others));
  for (const auto& epoch : {first, second, others}) CHECK(std::set(epoch.begin(), epoch.end()).size() == 9);
  const BoxSource one(images, strong(4)), two(images, strong(4)), three(images, strong(4, 9));
  for (const std::int64_t k : {5, 0, 3}) CHECK(same(one.batch(k), two.batch(k)));
  CHECK(!same(one.batch(0), three.batch(0)));
  CHECK(!same(one.batch(0), one.batch(1)));
}

TEST_CASE("box source: neither loader threads nor the memory for pictures change a batch") {
  const test::Folder folder;
  const auto images = greys(folder, 7);
  BoxSource::Options o = strong(4);
  const BoxSource source(images, o);
  o.photos.memory = 0;
  const BoxSource uncached(images, o);
  std::vector<Batch> alone;
  for (std::int64_t k = 0; k < 8; ++k) alone.push_back(source.batch(k));
  for (const int threads : {1, 3}) {
    Prefetcher batches(source, 0, threads);
    for (std::int64_t k = 0; k < 8; ++k) CHECK(same(batches.next(), alone[static_cast<std::size_t>(k)]));
  }
  for (std::int64_t k = 0; k < 3; ++k) CHECK(same(uncached.batch(k), alone[static_cast<std::size_t>(k)]));
}

TEST_CASE("box source: batches of several sizes, each of one") {
  const test::Folder folder;
  BoxSource::Options o = plain(2);
  o.sizes = {{64, 64}, {96, 64}, {32, 48}};
  const BoxSource source(greys(folder, 3), o);
  std::map<std::int64_t, int> seen;
  for (std::int64_t k = 0; k < 150; ++k) {
    const cv::Size size = source.size_of(k);
    ++seen[size.width];
    if (k < 12) CHECK(source.batch(k).input().shape() == Shape{2, 3, size.height, size.width});
  }
  REQUIRE(seen.size() == 3);
  for (const auto& [width, count] : seen) CHECK((count > 30 && count < 70));
  o.preprocess.resize = Preprocess::Resize::none;
  o.preprocess.width = o.preprocess.height = 0;
  o.sizes = {{40, 40}};
  const Batch b = BoxSource(greys(folder, 1), o).batch(0);  // 30 x 20 pixels as they are, in the middle
  CHECK(b.targets.at("boxes").slice(0, 0, 1).values() == std::vector<double>{8, 14, 20, 20});
}

TEST_CASE("box source: at the end pictures come alone") {
  const test::Folder folder;
  BoxSource::Options o = plain(4);
  o.augment.mosaic = 1;
  o.plain_from = 3;
  const auto images = greys(folder, 8);
  const BoxSource source(images, o), alone(images, plain(4));
  for (std::int64_t k = 0; k < 6; ++k) {
    const Batch b = source.batch(k);
    if (k < 3) CHECK(b.targets.at("labels").dim(1) > 1);
    else CHECK(labels_of(b) == labels_of(alone.batch(k)));
  }
  CHECK(source.batch(3).targets.at("boxes").values() == alone.batch(3).targets.at("boxes").values());
}

TEST_CASE("repeat factors: by the rarest class of a picture, as the paper has them") {
  // Class 0 on all of 10 pictures, 1 on four, 2 on one; an ignored object does not count.
  std::vector<std::vector<Annotation>> pictures(10, {{{0, 0, 1, 1}, 0}});
  for (std::size_t i = 0; i < 4; ++i) pictures[i].push_back({{0, 0, 1, 1}, 1});
  pictures[0].push_back({{0, 0, 1, 1}, 2});
  pictures[9].push_back({{0, 0, 1, 1}, 2, true});
  const std::vector<double> full = repeat_factors(pictures, 1, 0.4), half = repeat_factors(pictures, 0.5, 0.4);
  CHECK(full[0] == Approx(2));  // the root of 0.4 / 0.1
  CHECK(half[0] == Approx(std::sqrt(2)));
  for (std::size_t i = 1; i < 10; ++i) CHECK(full[i] == Approx(1));
  for (const double f : repeat_factors(pictures, 0, 0.4)) CHECK(f == 1);
  CHECK(repeat_factors({{}, {}}, 1, 1) == std::vector<double>{1, 1});
}

TEST_CASE("box source: with a balance pictures are drawn as often as their factors say, all of them in every epoch") {
  const test::Folder folder;
  auto images = greys(folder, 12);
  for (std::size_t i = 0; i < 12; ++i) images[i].annotations[0].label = i < 9 ? 0 : i < 11 ? 1 : 2;
  BoxSource::Options o = plain(1);
  o.balance = 1, o.balance_threshold = 0.5;
  const BoxSource source(images, o);
  const double twice = std::sqrt(0.5 * 12 / 2), thrice = std::sqrt(0.5 * 12);  // factors of the classes 1 and 2
  const double all = 9 + 2 * twice + thrice;
  REQUIRE(source.epoch() == static_cast<std::int64_t>(std::ceil(all)));
  std::map<int, int> shown;
  std::map<std::int64_t, int> labels;
  constexpr int kEpochs = 60;
  for (std::int64_t e = 0; e < kEpochs; ++e) {
    std::set<int> this_epoch;
    for (std::int64_t k = e * source.epoch(); k < (e + 1) * source.epoch(); ++k) {
      const Batch b = source.batch(k);
      const auto which = static_cast<int>(std::lround(b.input().values()[60 * 30 + 30] * 255 / 10));
      REQUIRE(labels_of(b) == std::vector<std::int64_t>{images[static_cast<std::size_t>(which)].annotations[0].label});
      ++shown[which], ++labels[labels_of(b)[0]];
      this_epoch.insert(which);
    }
    REQUIRE(this_epoch.size() == 12);
  }
  const double an_epoch = static_cast<double>(source.epoch()) / all * kEpochs;
  for (const auto& [which, count] : shown) {
    const double factor = which < 9 ? 1 : which < 11 ? twice : thrice;
    CHECK(count == Approx(factor * an_epoch).epsilon(0.1));
  }
  CHECK(labels[2] == Approx(thrice * an_epoch).epsilon(0.1));
}

TEST_CASE("box source: the pictures that a mosaic adds follow the balance, too") {
  const test::Folder folder;
  auto images = greys(folder, 10);
  for (std::size_t i = 0; i < 10; ++i) images[i].annotations[0].label = i == 0;
  BoxSource::Options o = plain(10);
  o.augment.mosaic = 1, o.augment.scale_low = o.augment.scale_high = 0.25;
  o.balance = 1, o.balance_threshold = 0.9;
  double rare = 0, all = 0;
  const BoxSource source(images, o);
  for (std::int64_t k = 0; k < 60; ++k)
    for (const std::int64_t label : labels_of(source.batch(k)))
      if (label >= 0) rare += label == 1, ++all;
  CHECK(rare / all == Approx(3.0 / 12).epsilon(0.15));
}

TEST_CASE("box source: what cannot be used is listed with its reason") {
  const test::Folder folder;
  auto images = greys(folder, 6);
  write_file_atomically(folder / "1.png", "hello", 5);
  images[2].file = folder / "missing.png";
  images[4].size = {20, 30};  // turned
  images[5].size = {};        // not said: taken as it is
  const BoxSource source(images, plain(3));
  CHECK(source.size() == 3);
  REQUIRE(source.bad().size() == 3);
  CHECK(source.bad()[2].reason.find("4.png: the annotations are for 20x30 pixels, the picture has 30x20") != std::string::npos);
  std::set<std::int64_t> labels;
  for (const std::int64_t label : labels_of(source.batch(0))) labels.insert(label);
  CHECK(labels == std::set<std::int64_t>{0, 3, 5});
  images.resize(3);
  images.erase(images.begin());
  CHECK(fails_with([&] { BoxSource(images, plain(3)); }, "no image can be used; the first reason: "));
  CHECK(fails_with([&] { BoxSource({}, plain(3)); }, "no image can be used"));
}

TEST_CASE("box source: pictures that are kept smaller keep their boxes") {
  const test::Folder folder;
  auto images = greys(folder, 2);
  images[1].size = {};
  BoxSource::Options o = plain(1);
  o.photos.shorter_side = 10;
  const BoxSource source(images, o);
  REQUIRE(source.size() == 2);
  for (std::int64_t k = 0; k < 2; ++k) {
    const std::vector<double> box = source.batch(k).targets.at("boxes").values();
    for (std::size_t i = 0; i < 4; ++i) CHECK(box[i] == Approx(std::vector<double>{6, 18, 30, 30}[i]));
  }
}

TEST_CASE("box source: options and boxes that make no sense are refused") {
  const test::Folder folder;
  const auto images = greys(folder, 2);
  const auto refused = [&](const std::function<void(BoxSource::Options&)>& set, const std::string& text) {
    BoxSource::Options o = plain(2);
    set(o);
    return fails_with([&] { BoxSource(images, o); }, text);
  };
  CHECK(refused([](auto& o) { o.batch = 0; }, "batch of at least 1"));
  CHECK(refused([](auto& o) { o.balance = 1.5; }, "balance: expected"));
  CHECK(refused([](auto& o) { o.balance_threshold = 0; }, "balance_threshold"));
  CHECK(refused([](auto& o) { o.sizes = {{32, 0}}; }, "sizes: expected sides"));
  CHECK(refused([](auto& o) { o.sizes = {{32, 1 << 20}}; }, "sizes: expected sides"));
  CHECK(refused([](auto& o) { o.preprocess = Preprocess::none(3); }, "expected `sizes`"));
  CHECK(refused([](auto& o) { o.preprocess.channels = 4; }, "1 or 3 channels"));
  CHECK(refused([](auto& o) { o.classes = 1; }, "1.png: object 1: label 1 of 1 classes"));
  auto broken = images;
  broken[1].annotations.push_back({{5, 5, 5, 9}, 0});
  CHECK(fails_with([&] { BoxSource(broken, plain(2)); }, "1.png: object 2: expected a box with an area, got 5 5 5 9"));
  broken[1].annotations[1] = {{5, 5, std::nan(""), 9}, 0};
  CHECK(fails_with([&] { BoxSource(broken, plain(2)); }, "expected a box with an area"));
  broken[1].annotations[1] = {{5, 5, 8, 9}, -1};
  CHECK(fails_with([&] { BoxSource(broken, plain(2)); }, "object 2: label -1"));
}

TEST_CASE("box source: a mosaic of 320 x 320 pixels takes less than 6 ms of processor time", "[slow]") {
  const test::Folder folder;
  std::vector<AnnotatedImage> images;
  for (int i = 0; i < 16; ++i) {
    cv::Mat image = test::noise(640, 480, CV_8UC3, static_cast<std::uint64_t>(i));
    cv::GaussianBlur(image, image, {9, 9}, 3);
    const fs::path file = folder / (std::to_string(i) + ".jpg");
    REQUIRE(cv::imwrite(file.string(), image));
    AnnotatedImage& last = images.emplace_back(AnnotatedImage{file, i + 1, {640, 480}, {}});
    for (int k = 0; k < 15; ++k) last.annotations.push_back({{40.0 * k, 100, 40.0 * k + 70, 180}, k % 3});
  }
  BoxSource::Options o = plain(16);
  o.preprocess.width = o.preprocess.height = 320;
  o.augment = {};
  o.augment.mosaic = 1;
  o.augment.colour.brightness = o.augment.colour.contrast = o.augment.colour.saturation = 0.4, o.augment.colour.hue = 0.02;
  const BoxSource source(images, o);
  ThreadScope thread_scope(1);
  double best = 1e9;  // of several tries
  for (std::int64_t k = 0; k < 8; ++k) {
    const std::clock_t start = std::clock();
    source.batch(k);
    best = std::min(best, 1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / 16);
  }
  WARN(best << " ms a picture");
  CHECK(best < 6);
}
