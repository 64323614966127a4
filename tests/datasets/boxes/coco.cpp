#include "datasets/boxes/coco.hpp"

#include <fmt/format.h>

#include <fstream>
#include <random>

#include "modules/io/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/fuzz.hpp"

using namespace fovea;
namespace fs = std::filesystem;
using test::fails_with;
using test::message_of;

namespace {

const std::string kImages =
    R"([{"id":9007199254740993,"file_name":"a.png","width":64,"height":48},{"id":-5,"file_name":"b.png"}])";
const std::string kCategories = R"([{"id":18,"name":"dog","supercategory":"animal"},{"id":3,"name":"cat"}])";

std::string truth_of(const std::string& annotations, const std::string& images = kImages,
                     const std::string& categories = kCategories) {
  return R"({"info":{"year":2017},"licenses":[],"images":)" + images + ",\"categories\":" + categories +
         ",\"annotations\":" + annotations + "}";
}

const std::string kAnnotations =
    R"([{"id":1,"image_id":-5,"category_id":3,"bbox":[1.5,2,10.25,20],"area":150.5,"iscrowd":0,"ignore":1,
    "segmentation":[[1,2,3,4,5,6]]},
    {"image_id":9007199254740993,"category_id":18,"bbox":[0,0,64,48],"iscrowd":1,
    "segmentation":{"size":[48,64],"counts":"PPYo0"}},
    {"image_id":-5,"category_id":18,"bbox":[5,6,7,8],"area":0,"iscrowd":true}])";

BoxData read(const std::string& text, const std::vector<std::string>& classes = {}, CocoUse use = CocoUse::training) {
  return coco_from(JsonValue::parse(text, "t.json"), "t.json", classes, use);
}

std::string annotation(const std::string& image, const std::string& category, const std::string& bbox,
                       const std::string& more = "") {
  return truth_of("[{\"image_id\":" + image + ",\"category_id\":" + category + ",\"bbox\":" + bbox + more + "}]");
}

void write_text(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

}  // namespace

TEST_CASE("coco: images, categories and annotations as the file has them") {
  const BoxData data = read(truth_of(kAnnotations));
  CHECK(data.classes == std::vector<std::string>{"dog", "cat"});
  CHECK(data.category_ids == std::vector<std::int64_t>{18, 3});
  REQUIRE(data.images.size() == 2);
  CHECK((data.images[0].id == 9007199254740993 && data.images[1].id == -5));
  CHECK((data.images[0].size == cv::Size(64, 48) && data.images[1].size == cv::Size()));
  CHECK((data.images[0].file == "a.png" && data.images[0].source == "t.json"));
  CHECK(data.images[0].annotations == std::vector<Annotation>{{{0, 0, 64, 48}, 0, true, -1}});
  CHECK(data.images[1].annotations ==
        std::vector<Annotation>{{{1.5, 2, 11.75, 22}, 1, false, 150.5}, {{5, 6, 12, 14}, 0, true, 0}});
  CHECK((data.faults.empty() && data.bad.empty()));
  CHECK(read(truth_of("[]", "[]", "[]")).images.empty());
}

TEST_CASE("coco: pictures beside the file, in images beside it, or where the name says") {
  const test::Folder folder;
  fs::create_directories(folder / "images");
  fs::create_directories(folder / "far");
  for (const char* name : {"a.png", "images/b.png", "far/c.png"}) write_text(folder / name, "x");
  const std::string far = (folder / "far/c.png").string();
  write_text(folder / "t.json",
             truth_of("[]", R"([{"id":1,"file_name":"a.png"},{"id":2,"file_name":"b.png"},{"id":3,"file_name":")" + far +
                                R"("},{"id":4,"file_name":"nowhere.png"}])"));
  const auto images = read_coco(folder / "t.json").images;
  CHECK((images[0].file == folder / "a.png" && images[1].file == folder / "images/b.png"));
  CHECK((images[2].file == far && images[3].file == folder / "nowhere.png"));
}

TEST_CASE("coco: a box without area is a fault to train with and an object to be measured") {
  const std::string text =
      truth_of(R"([{"image_id":-5,"category_id":3,"bbox":[4,5,0,7]},{"image_id":-5,"category_id":3,"bbox":[4,5,-2,-3],"area":6},
    {"image_id":9007199254740993,"category_id":3,"bbox":[100,5,2,3]},{"image_id":-5,"category_id":3,"bbox":[4,5,2,3]}])");
  const BoxData training = read(text);
  CHECK(training.images[1].annotations == std::vector<Annotation>{{{4, 5, 6, 8}, 1}});
  REQUIRE(training.faults.size() == 3);
  CHECK(training.faults[0].reason == "annotations[0]: a box without area: 4 5 4 12");
  CHECK((training.faults[0].file == "t.json" && training.faults[2].kind == AnnotationFault::Kind::outside));
  const BoxData measuring = read(text, {}, CocoUse::measuring);
  CHECK(measuring.faults.empty());
  REQUIRE(measuring.images[1].annotations.size() == 3);
  CHECK(measuring.images[1].annotations[1] == Annotation{{4, 5, 2, 2}, 1, false, 6});
  CHECK(measuring.images[0].annotations.size() == 1);
}

TEST_CASE("coco: to be measured, pictures and categories need no names") {
  const std::string bare = truth_of("[]", R"([{"id":1}])", R"([{"id":7}])");
  CHECK(read(bare, {}, CocoUse::measuring).classes == std::vector<std::string>{"7"});
  CHECK(fails_with([&] { read(bare); }, "t.json: categories[0]: \"name\" is missing"));
}

TEST_CASE("coco: labels count the classes that are given") {
  const BoxData data = read(truth_of(kAnnotations), {"cat", "bird", "eel"});
  CHECK(data.classes == std::vector<std::string>{"cat", "bird", "eel"});
  CHECK(data.category_ids == std::vector<std::int64_t>{3, 1, 2});
  CHECK(data.images[0].annotations.empty());
  CHECK(data.images[1].annotations == std::vector<Annotation>{{{1.5, 2, 11.75, 22}, 0, false, 150.5}});
  REQUIRE(data.faults.size() == 1);
  CHECK(data.faults[0].reason == "category 'dog' is none of the classes: 2 left out");
  CHECK(data.faults[0].kind == AnnotationFault::Kind::unknown_class);
}

TEST_CASE("coco: what is no such file is refused with file and key") {
  const auto refused = [](const std::string& text, const std::string& message) {
    INFO(text.substr(0, 200));
    CHECK(message_of([&] { read(text); }) == "t.json: " + message);
  };
  refused("[]", "expected an object with \"categories\", got a list");
  refused(R"({"categories":[],"images":[]})", "\"annotations\" is missing");
  refused(truth_of("{}"), "annotations: expected a list, got an object");
  refused(truth_of("[]", R"([{"id":1,"file_name":"a"},{"id":1,"file_name":"b"}])"), "images[1].id: 1 is there twice");
  refused(truth_of("[]", "[]", R"([{"id":1,"name":"a"},{"id":1,"name":"b"}])"), "categories[1].id: 1 is there twice");
  refused(truth_of("[]", R"([{"id":"1","file_name":"a"}])"),
          "images[0].id: expected a whole number from -9223372036854775808 to 9223372036854775807, got text");
  refused(truth_of("[]", R"([{"id":1,"file_name":""}])"), "images[0].file_name: expected the name of a file");
  refused(truth_of("[]", R"([{"id":1,"file_name":"a","width":-3}])"), "images[0].width: expected at least 0 pixels, got -3");
  refused(annotation("6", "3", "[1,2,3,4]"), "annotations[0].image_id: expected an id that is there, got 6");
  refused(annotation("-5", "4", "[1,2,3,4]"), "annotations[0].category_id: expected an id that is there, got 4");
  refused(annotation("-5", "3", "[1,2,3]"), "annotations[0].bbox: expected [x, y, width, height], got 3 numbers");
  refused(annotation("-5", "3", R"([1,2,"3",4])"), "annotations[0].bbox[2]: expected a number, got text");
  refused(annotation("-5", "3", "[1e308,2,1e308,4]"), "annotations[0].bbox: expected a box on a picture, got 1e+308 2 1e+308 4");
  refused(annotation("-5", "3", "[1,2,3,4]", ",\"area\":-1"), "annotations[0].area: expected at least 0, got -1");
  refused(annotation("-5", "3", "[1,2,3,4]", ",\"area\":null"), "annotations[0].area: expected a number, got null");
  refused(truth_of("[{}]"), "annotations[0]: \"image_id\" is missing");
}

TEST_CASE("coco: hostile files are refused and nothing else happens") {
  for (const char* number : {"NaN", "Infinity", "-Infinity", "1e999", "0x10", "1."})
    CHECK(fails_with([&] { read(annotation("-5", "3", std::string("[1,2,") + number + ",4]")); }, "t.json: it is not JSON"));
  const test::Folder folder;
  const fs::path file = folder / "t.json";
  const auto nested = [&](const std::string& text) {
    write_text(file, text);
    return message_of([&] { read_coco(file); });
  };
  CHECK(nested(std::string(200'000, '[')).find("nested deeper than") != std::string::npos);
  CHECK(nested(truth_of("[{\"segmentation\":" + std::string(200'000, '['))).find("nested deeper than") != std::string::npos);
  CHECK(nested("").find("it is not JSON") != std::string::npos);
  CHECK(message_of([&] { read_coco(folder / "none.json"); }).find("no such file") != std::string::npos);
  std::string many = "[";
  for (int i = 0; i <= 20'000; ++i) many += fmt::format("{}{{\"id\":{},\"name\":\"a\"}}", i ? "," : "", i);
  CHECK(fails_with([&] { read(truth_of("[]", "[]", many + "]")); }, "categories: expected at most 20000, got 20001"));
  const std::string whole = truth_of(kAnnotations);
  for (std::size_t length = 0; length < whole.size(); ++length) CHECK_THROWS_AS(read(whole.substr(0, length)), Error);
}

TEST_CASE("coco: what is written is read again as it was") {
  const test::Folder folder;
  const fs::path file = folder / "t.json";
  BoxData data;
  data.classes = {"a \"quoted\"\n name", "caf\xc3\xa9"};
  data.category_ids = {7, 1};
  std::mt19937 random(1);
  std::uniform_real_distribution<double> place(0, 500);
  for (std::int64_t i = 0; i < 40; ++i) {
    AnnotatedImage image;
    image.file = folder / fmt::format("images/{}.png", i);
    image.id = i * 1'000'000'000'000;
    image.size = {1000, 800};
    for (int k = 0; k < 20; ++k) {
      const double x = place(random), y = place(random);
      image.annotations.push_back({{x, y, x + place(random), y + place(random)}, k % 2, k % 5 == 0, place(random)});
    }
    data.images.push_back(image);
  }
  write_coco(file, data);
  const BoxData again = read_coco(file);
  CHECK((again.classes == data.classes && again.category_ids == data.category_ids && again.faults.empty()));
  REQUIRE(again.images.size() == data.images.size());
  for (std::size_t i = 0; i < data.images.size(); ++i) {
    CHECK(again.images[i].file == data.images[i].file);
    CHECK((again.images[i].id == data.images[i].id && again.images[i].size == data.images[i].size));
    CHECK(again.images[i].annotations == data.images[i].annotations);
  }
  // A width that a file had with few decimals has them again.
  write_text(file, annotation("-5", "3", "[10.1,20.2,30.3,40.4]"));
  CHECK(coco_text(read_coco(file), folder.path()).find("[10.1,20.2,30.3,40.4]") != std::string::npos);
}

TEST_CASE("coco: data that cannot be written") {
  const test::Folder folder;
  BoxData data{{"a"}, {1}, {}};
  data.images.resize(2);
  CHECK(fails_with([&] { write_coco(folder / "t.json", data); }, "two images have the id 0"));
  data.images.pop_back();
  data.images[0].annotations = {{{0, 0, 1, 1}, 1}};
  CHECK(fails_with([&] { write_coco(folder / "t.json", data); }, "expected a label below 1, got 1"));
  data.images[0].annotations = {{{0, 0, std::nan(""), 1}, 0}};
  CHECK_THROWS_AS(write_coco(folder / "t.json", data), Error);
  data.images[0].annotations.clear();
  data.classes = {"\xff"};
  CHECK(fails_with([&] { write_coco(folder / "t.json", data); }, "not UTF-8"));
  CHECK(fails_with([&] { write_coco_results(folder / "r.json", data, {}); }, "expected detections of 1 images, got 0"));
  CHECK(fails_with([&] { write_coco_results(folder / "r.json", data, {{{{0, 0, 1, 1}, 0, INFINITY}}}); }, "finite score"));
  CHECK(folder.entries() == 0);
}

TEST_CASE("coco results: every digit, in the order of the images") {
  const test::Folder folder;
  const BoxData data = read(truth_of("[]"));
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> number(0, 1);
  std::vector<Detections> found(2);
  for (int i = 0; i < 2000; ++i) {
    const double x = number(random) * 640, y = number(random) * 480;
    found[static_cast<std::size_t>(i % 2)].push_back(
        {{x, y, x + number(random) * 300, y + number(random) * 1e-3}, i % 2, number(random)});
  }
  write_coco_results(folder / "r.json", data, found);
  CHECK(read_coco_results(folder / "r.json", data) == found);
  write_coco_results(folder / "r.json", data, std::vector<Detections>(2));
  CHECK(read_coco_results(folder / "r.json", data) == std::vector<Detections>(2));
}

TEST_CASE("coco results: unknown ids, what is missing, numbers that are none") {
  const test::Folder folder;
  const fs::path file = folder / "r.json";
  const BoxData data = read(truth_of("[]"));
  const auto message = [&](const std::string& text) {
    write_text(file, text);
    return message_of([&] { read_coco_results(file, data); });
  };
  const std::string where = file.string() + ": ";
  CHECK(message(R"([{"image_id":-5,"category_id":3,"bbox":[1,2,0,-4],"score":7}])").empty());
  CHECK(message(R"([{"image_id":5,"category_id":3,"bbox":[1,2,3,4],"score":1}])") ==
        where + "[0].image_id: expected an id that is there, got 5");
  CHECK(message(R"([{"image_id":-5,"category_id":1,"bbox":[1,2,3,4],"score":1}])") ==
        where + "[0].category_id: expected an id that is there, got 1");
  CHECK(message(R"([{"image_id":-5,"category_id":3,"bbox":[1,2,3,4]}])") == where + "[0]: \"score\" is missing");
  CHECK(message(R"([{"image_id":-5,"category_id":3,"bbox":[1,2,3,4],"score":"1"}])") ==
        where + "[0].score: expected a number, got text");
  CHECK(message(R"({"annotations":[]})") == where + "expected a list, got an object");
  CHECK(message(R"([{"image_id":-5,"category_id":3,"bbox":[1,2,3,4],"score":1e999}])").find("it is not JSON") !=
        std::string::npos);
}

TEST_CASE("fuzz: coco files and results", "[fuzz]") {
  const test::Folder folder;
  const fs::path file = folder / "t.json";
  const BoxData data = read(truth_of("[]"));
  CHECK(test::fuzz("coco", {truth_of(kAnnotations)}, [&](const std::string& text) {
          write_text(file, text);
          read_coco(file, {}, CocoUse::measuring);
          read_coco(file, {"cat"});
        }) > 0);
  CHECK(test::fuzz("coco results",
                   {R"([{"image_id":-5,"category_id":3,"bbox":[1.5,2,3,4],"score":0.25,"id":1,"segmentation":[[1,2]]}])"},
                   [&](const std::string& text) {
                     write_text(file, text);
                     read_coco_results(file, data);
                   }) > 0);
}
