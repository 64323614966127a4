#include "datasets/photos.hpp"

#include <chrono>
#include <cmath>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <set>

#include "datasets/preprocess.hpp"
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

// `count` pictures of one grey each, 10 apart, so that a crop tells which it came from.
std::vector<Sample> greys(const test::Folder& folder, int count) {
  std::vector<Sample> samples;
  for (int i = 0; i < count; ++i) {
    const fs::path file = folder / (std::to_string(i) + ".png");
    REQUIRE(cv::imwrite(file.string(), cv::Mat(20 + i, 30, CV_8UC3, cv::Scalar::all(10 * i))));
    samples.push_back({file, i});
  }
  return samples;
}

PhotoSource::Options plain(int batch, std::uint64_t seed = 1) {
  PhotoSource::Options o;
  o.preprocess.height = 8, o.preprocess.width = 12;
  o.preprocess.mean = {0, 0, 0}, o.preprocess.stddev = {1, 1, 1};
  o.batch = batch, o.seed = seed;
  return o;
}

}  // namespace

TEST_CASE("shuffle: every epoch is a permutation, each another one") {
  for (const std::int64_t n : {1, 2, 3, 7, 16, 17, 1000}) {
    std::set<std::int64_t> seen;
    for (std::int64_t i = 0; i < n; ++i) seen.insert(shuffled(i, n, 3, 0));
    CHECK(static_cast<std::int64_t>(seen.size()) == n);
    CHECK(*seen.rbegin() == n - 1);
  }
  int same_epoch = 0, same_seed = 0, fixed = 0, neighbours = 0;
  for (std::int64_t i = 0; i < 1000; ++i) {
    const std::int64_t here = shuffled(i, 1000, 3, 0);
    same_epoch += here == shuffled(i, 1000, 3, 1);
    same_seed += here == shuffled(i, 1000, 4, 0);
    fixed += here == i;
    if (i > 0) neighbours += here == shuffled(i - 1, 1000, 3, 0) + 1;
  }
  for (const int hits : {same_epoch, same_seed, fixed, neighbours}) CHECK(hits < 10);  // 1 each is expected
  CHECK(fails_with([] { shuffled(3, 3, 0, 0); }, "below 3"));
}

TEST_CASE("photos: an epoch shows every picture once, with its own label; batch k depends on the seed and k alone") {
  const test::Folder folder;
  const Photos photos(greys(folder, 9));
  const PhotoSource source(photos, plain(3)), again(photos, plain(3)), other(photos, plain(3, 2));
  std::vector<std::int64_t> first, second;
  for (std::int64_t k = 0; k < 6; ++k) {
    const Batch b = source.batch(k);
    REQUIRE(b.input().shape() == Shape{3, 3, 8, 12});
    REQUIRE(b.target().dtype() == DType::s64);
    for (std::int64_t i = 0; i < 3; ++i) {
      const auto label = b.target().data<std::int64_t>()[i];
      (k < 3 ? first : second).push_back(label);
      for (const double v : b.input().slice(0, i, i + 1).values())
        REQUIRE(v == Approx(static_cast<double>(10 * label) / 255).margin(1e-6));
    }
  }
  CHECK(first != second);
  CHECK(std::set(first.begin(), first.end()).size() == 9);
  CHECK(std::set(second.begin(), second.end()).size() == 9);
  CHECK(again.batch(4).input().values() == source.batch(4).input().values());
  std::vector<std::int64_t> others;
  for (std::int64_t k = 0; k < 3; ++k)
    for (const double v : other.batch(k).target().values()) others.push_back(static_cast<std::int64_t>(v));
  CHECK(others != first);
}

TEST_CASE("photos: without labels there is no target; some with and some without is an error") {
  const test::Folder folder;
  auto samples = greys(folder, 4);
  for (Sample& s : samples) s.label = -1;
  CHECK(PhotoSource(Photos(samples), plain(2)).batch(0).targets.empty());
  samples[2].label = 1;
  CHECK(fails_with([&] { PhotoSource(Photos(samples), plain(2)); }, "1 of 4 images have a label"));
  const auto found = unlabelled({folder.path()});
  REQUIRE(found.size() == 4);
  CHECK((found[1].file == folder / "1.png" && found[1].label == -1));
  CHECK(fails_with([&] { unlabelled({folder / "none"}); }, "expected a folder"));
  const std::string names = "1.png\n\n0.png\n", beside = "beside.png\n";
  write_file_atomically(folder / "list.txt", names.data(), names.size());
  write_file_atomically(folder / "images.txt", beside.data(), beside.size());
  const auto listed = unlabelled({folder / "list.txt"});
  REQUIRE(listed.size() == 2);
  CHECK((listed[0].file == folder / "1.png" && listed[1].file == folder / "0.png" && listed[0].label == -1));
  CHECK(unlabelled({folder / "images.txt"})[0].file == folder / "images" / "beside.png");
  CHECK(fails_with([&] { unlabelled({folder / "none.txt"}); }, "cannot read the list"));
  fs::create_directories(folder / "empty");
  CHECK(fails_with([&] { unlabelled({folder / "empty"}); }, "no images"));
}

TEST_CASE("photos: what cannot be read is put aside with its reason") {
  const test::Folder folder;
  auto samples = greys(folder, 3);
  std::vector<std::uint8_t> jpeg;
  cv::imencode(".jpg", test::noise(64, 48, CV_8UC3), jpeg);
  write_file_atomically(folder / "cut.jpg", jpeg.data(), jpeg.size() / 2);
  write_file_atomically(folder / "empty.png", "", 0);
  write_file_atomically(folder / "text.png", "hello", 5);
  for (const char* name : {"cut.jpg", "empty.png", "text.png", "missing.png"})
    samples.insert(samples.begin() + 1, {folder / name, 7});
  const Photos photos(samples);
  REQUIRE(photos.size() == 3);
  CHECK(photos.samples()[1].label == 1);
  REQUIRE(photos.bad().size() == 4);
  for (const auto& b : photos.bad()) CHECK(b.reason.find(b.file.filename().string()) != std::string::npos);
  CHECK(fails_with(
      [&] {
        PhotoSource(Photos({{folder / "text.png", 0}}), plain(2));
      },
      "no image can be read; the first reason: "));
  CHECK(fails_with([&] { PhotoSource(Photos({}), plain(2)); }, "no image can be read"));
}

TEST_CASE("photos: a memory budget changes nothing but the memory; large pictures may be kept smaller") {
  const test::Folder folder;
  const auto samples = greys(folder, 6);
  const Photos all(samples), some(samples, {.memory = 4500, .shorter_side = 0}), none(samples, {.memory = 0, .shorter_side = 0});
  CHECK(all.cached() == 6);
  CHECK((some.cached() > 0 && some.cached() < 6));
  CHECK(none.cached() == 0);
  for (std::int64_t k = 0; k < 3; ++k) {
    const auto values = PhotoSource(all, plain(4)).batch(k).input().values();
    CHECK(PhotoSource(some, plain(4)).batch(k).input().values() == values);
    CHECK(PhotoSource(none, plain(4)).batch(k).input().values() == values);
  }
  const Photos small(samples, {.memory = 1 << 20, .shorter_side = 10});
  CHECK(small.image(0).size() == cv::Size(15, 10));
  CHECK(fails_with([&] { small.image(6); }, "below 6"));
}

TEST_CASE("photos: one loader thread feeds 150 pictures of 160 x 160 a second", "[slow]") {
  const test::Folder folder;
  std::vector<Sample> samples;
  for (int i = 0; i < 40; ++i) {
    cv::Mat image = test::noise(500, 375, CV_8UC3, static_cast<std::uint64_t>(i));
    cv::GaussianBlur(image, image, {9, 9}, 3);
    cv::imwrite((folder / (std::to_string(i) + ".jpg")).string(), image);
    samples.push_back({folder / (std::to_string(i) + ".jpg"), i});
  }
  PhotoSource::Options o;
  o.preprocess.height = o.preprocess.width = 160;
  o.augment.brightness = o.augment.contrast = o.augment.saturation = 0.4;
  o.batch = 32;
  const PhotoSource source(Photos(samples), o);
  ThreadScope thread_scope(1);
  double best = 0;  // of several tries: a busy machine says nothing
  for (std::int64_t k = 0; k < 8; ++k) {
    const auto start = std::chrono::steady_clock::now();
    source.batch(k);
    best = std::max(best, 32 / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  WARN(best << " pictures a second");
  CHECK(best > 150);
}
