#include "datasets/boxes/check.hpp"

#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <set>

#include "datasets/boxes/near_duplicates.hpp"
#include "datasets/image.hpp"
#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/images.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;
namespace fs = std::filesystem;

namespace {

// A picture as photographs are: blots of all sizes.
cv::Mat scene(std::uint64_t seed, int width = 320, int height = 240) {
  cv::Mat sum(height, width, CV_32FC3, cv::Scalar::all(0)), out;
  for (const int cells : {4, 9, 20, 60}) {
    cv::Mat coarse = test::noise(cells, cells * 3 / 4, CV_8UC3, seed * 7 + static_cast<std::uint64_t>(cells)), fine;
    coarse.convertTo(coarse, CV_32F);
    cv::resize(coarse, fine, sum.size(), 0, 0, cv::INTER_CUBIC);
    sum += fine / 4;
  }
  sum.convertTo(out, CV_8U);
  return out;
}

fs::path put(const fs::path& file, const cv::Mat& picture) {
  fs::create_directories(file.parent_path());
  REQUIRE(cv::imwrite(file.string(), picture));
  return file;
}

AnnotatedImage image(const fs::path& file, std::vector<Annotation> annotations = {}, cv::Size size = {}) {
  return {file, 1, size, std::move(annotations)};
}

BoxPart part(const std::string& name, std::vector<AnnotatedImage> images, std::vector<std::string> classes = {"cat"}) {
  const auto n = static_cast<std::int64_t>(classes.size());
  BoxPart p{name, {std::move(classes), {}, std::move(images)}};
  for (std::int64_t i = 0; i < n; ++i) p.data.category_ids.push_back(i + 1);
  return p;
}

std::multiset<std::string> kinds(const BoxCheck& check) {
  std::multiset<std::string> all;
  for (const Finding& f : check.findings) all.insert(f.kind);
  return all;
}

const Finding& the(const BoxCheck& check, const std::string& kind) {
  const auto found = std::find_if(check.findings.begin(), check.findings.end(), [&](const Finding& f) { return f.kind == kind; });
  REQUIRE(found != check.findings.end());
  return *found;
}

bool alike(const cv::Mat& a, const cv::Mat& b) { return near_duplicate(PictureSketch(a), {PictureSketch(b)}).has_value(); }

}  // namespace

TEST_CASE("check: clean data has no findings, and counts") {
  const test::Folder f;
  const Annotation cat{{10, 10, 50, 50}, 0}, dog{{60, 60, 90, 90}, 1}, crowd{{0, 0, 320, 240}, 1, true};
  const BoxPart train =
      part("train", {image(put(f / "a.png", scene(1)), {cat, dog, crowd}, {320, 240}), image(put(f / "b.png", scene(2)))},
           {"cat", "dog"});
  const BoxPart val = part("val", {image(put(f / "c.png", scene(3)), {cat, dog, cat})}, {"cat", "dog"});
  BoxPart moved = val;
  moved.data.images[0].annotations[2].box = {10, 13, 50, 53};  // an IoU of 0.86: another cat
  const BoxCheck check = check_boxes({train, moved});
  CHECK(check.findings.empty());
  CHECK((check.count(Severity::error) == 0 && check.classes == std::vector<std::string>{"cat", "dog"}));
  REQUIRE(check.parts.size() == 2);
  const BoxCheck::Part& p = check.parts[0];
  CHECK((p.name == "train" && p.images == 2 && p.empty == 1 && p.objects == 2 && p.ignored == 1));
  CHECK(p.of_class == std::vector<std::size_t>{1, 1});
  CHECK(check.parts[1].of_class == std::vector<std::size_t>{2, 1});
}

TEST_CASE("check: every kind of finding, each once") {
  const test::Folder f;
  const Annotation cat{{10, 10, 50, 50}, 0};
  std::ofstream(f / "broken.png") << "no picture";
  BoxPart p =
      part("train",
           {image(put(f / "a.png", scene(1)), {cat, {{-3, 5, 20, 20}, 0}}, {240, 320}), image(f / "missing.png"),
            image(f / "broken.png"), image(f / "." / "a.png"), image(put(f / "b.png", scene(2)), {cat, {{500, 5, 520, 20}, 0}}),
            image(put(f / "c.png", scene(3)), {cat, {{10, 10.5, 50, 50}, 0}, {{60, 60, 70, 70}, 0}, {{10, 10, 50, 50}, 1}, cat})},
           {"cat", "dog", "eel"});
  using Kind = AnnotationFault::Kind;
  for (const Kind kind : {Kind::unreadable, Kind::degenerate, Kind::outside, Kind::unknown_class, Kind::no_picture})
    p.data.faults.push_back({f / "a.png", "reason", kind});
  p.data.bad = {{f / "b.png", "reason"}, {f / "gone.png", "reason"}, {f / "x.exr", "reason", Fault::skipped}};
  const BoxCheck check = check_boxes({p});
  const std::multiset<std::string> expected{"unreadable annotation",
                                            "degenerate box",
                                            "box outside",
                                            "unknown class",
                                            "missing file",  // faults
                                            "unreadable file",
                                            "missing file",
                                            "skipped file",  // files that were not read
                                            "other size",
                                            "box over the edge",
                                            "missing file",
                                            "unreadable file",
                                            "listed twice",
                                            "box outside",
                                            "class without objects",
                                            "duplicate box",
                                            "duplicate box"};  // c.png: the two others of its three cats
  CHECK(kinds(check) == expected);
  CHECK(check.count(Severity::warning) == 5);
  CHECK(the(check, "other size").text == "the annotations say 240x320, the picture has 320x240");
  CHECK(the(check, "box over the edge").text == "'cat' -3 5 20 20 reaches over the edge of a picture of 320x240");
  CHECK(the(check, "duplicate box").text == "'cat' 10 10 50 50 is there twice");
  CHECK(the(check, "class without objects").text == "'eel' has no objects");
  CHECK(the(check, "listed twice").text == "the same picture as " + (f / "a.png").string());
}

TEST_CASE("check: between parts") {
  const test::Folder f;
  const Annotation cat{{10, 10, 50, 50}, 0};
  const cv::Mat wide = scene(1, 360, 280);
  const BoxPart train =
      part("train", {image(put(f / "a.png", wide(cv::Rect(0, 0, 320, 240))), {cat}), image(put(f / "b.png", scene(2)), {cat})});
  fs::create_symlink(f / "b.png", f / "link.png");
  const BoxPart val = part("val",
                           {image(put(f / "near.jpg", wide(cv::Rect(30, 20, 320, 240))), {cat}), image(f / "link.png", {cat}),
                            image(put(f / "c.png", scene(4)), {cat})},
                           {"cat", "dog"});
  const BoxCheck check = check_boxes({train, val});
  CHECK(kinds(check) == std::multiset<std::string>{"near duplicate", "listed twice", "other classes", "class without objects",
                                                   "class without objects"});
  CHECK(the(check, "near duplicate").file == f / "near.jpg");
  CHECK(the(check, "near duplicate").text.find("shows 8") == 0);
  CHECK(the(check, "near duplicate").text.find(" % of " + (f / "a.png").string() + " in 'train', correlation 0.9") == 8);
  CHECK(the(check, "listed twice").text == "the same picture as " + (f / "b.png").string() + " in 'train'");
  CHECK(the(check, "other classes").text == "expected those of 'train' in this order: cat; got cat, dog");
  CHECK(check.count(Severity::error) == 1);
  CHECK(kinds(check_boxes({train, part("val", {})})).count("near duplicate") == 0);
}

TEST_CASE("check: many boxes on a picture take no square of time") {
  const test::Folder f;
  std::vector<Annotation> boxes;
  for (int i = 0; i < 100000; ++i) boxes.push_back({{i % 300 + i * 1e-6, 1, i % 300 + 4.0, 9}, 0});
  const BoxCheck check = check_boxes({part("train", {image(put(f / "a.png", scene(1)), boxes)})});
  CHECK(check.findings.size() > 90000);  // nearly all are there many times
}

TEST_CASE("near duplicates: stored anew, smaller, brighter, moved") {
  const cv::Mat wide = scene(1, 480, 360), a = wide(cv::Rect(60, 40, 320, 240));
  cv::Mat small, bright, grey, deep, blurred;
  cv::resize(a, small, {100, 90}, 0, 0, cv::INTER_AREA);
  a.convertTo(bright, -1, 0.7, 50);
  cv::cvtColor(a, grey, cv::COLOR_BGR2GRAY);
  a.convertTo(deep, CV_16U, 257);
  cv::GaussianBlur(a, blurred, {}, 3);
  for (const cv::Mat& other : {a, small, bright, grey, deep, blurred}) CHECK(alike(a, other));
  const auto coded = encode_image({a.clone(), false, {}}, "jpg", {.jpeg_quality = 20});
  CHECK(alike(a, decode_image(coded, "p").pixels));
  for (const cv::Point shift : {cv::Point(5, 0), cv::Point(-37, 20), cv::Point(0, 33), cv::Point(40, -20)}) {
    const auto found = near_duplicate(
        PictureSketch(a), {PictureSketch(scene(5)), PictureSketch(wide(cv::Rect(cv::Point(60, 40) + shift, a.size())))});
    INFO(shift);
    REQUIRE(found);
    CHECK((found->index == 1 && found->correlation > 0.93));
    CHECK(found->shared == Approx((1 - std::abs(shift.x) / 320.0) * (1 - std::abs(shift.y) / 240.0)).margin(0.03));
  }
}

TEST_CASE("near duplicates: other pictures, plain ones, and views that share too little are none") {
  const cv::Mat wide = scene(1, 800, 240), a = wide(cv::Rect(0, 0, 320, 240));
  CHECK(!alike(a, wide(cv::Rect(100, 0, 320, 240))));
  cv::Mat mirrored, plain(240, 320, CV_8UC3, cv::Scalar::all(90));
  cv::flip(a, mirrored, 1);
  CHECK(!alike(a, mirrored));
  CHECK(!alike(plain, plain));
  CHECK(!alike(a, plain));
  std::vector<PictureSketch> others;
  for (std::uint64_t i = 10; i < 110; ++i) others.emplace_back(scene(i, 160, 120));
  std::size_t found = 0;
  for (std::size_t i = 0; i < others.size(); ++i) {
    const std::vector<PictureSketch> rest(others.begin() + static_cast<std::ptrdiff_t>(i) + 1, others.end());
    found += near_duplicate(others[i], rest).has_value();
  }
  CHECK(found == 0);
  CHECK(!near_duplicate(PictureSketch(a), {}));
  CHECK(PictureSketch(cv::Mat(1, 1, CV_8UC1, cv::Scalar(7))).plain());
  CHECK_THROWS_AS(PictureSketch(cv::Mat()), Error);
  CHECK_THROWS_AS(PictureSketch(cv::Mat(4, 4, CV_32F)), Error);
}

TEST_CASE("check: blood cells, three pictures of which are in both parts") {
  FOVEA_NEEDS_SHARED(folder, "data/bccd");
  const BoxCheck check = check_boxes({{"train", read_boxes(folder, "train")}, {"val", read_boxes(folder, "val")}});
  CHECK(kinds(check) ==
        std::multiset<std::string>{"degenerate box", "degenerate box", "near duplicate", "near duplicate", "near duplicate"});
  std::set<std::pair<std::string, bool>> pairs;
  for (const Finding& f : check.findings)
    for (const auto& [val, train] : {std::pair("00230", "00257"), std::pair("00277", "00204"), std::pair("00037", "00038")})
      if (f.file.string().find(val) != std::string::npos) pairs.emplace(val, f.text.find(train) != std::string::npos);
  CHECK(pairs == std::set<std::pair<std::string, bool>>{{"00037", true}, {"00230", true}, {"00277", true}});
}
