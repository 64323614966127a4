#include "datasets/boxes/annotations.hpp"

#include <fstream>
#include <opencv2/imgcodecs.hpp>

#include "datasets/boxes/coco.hpp"
#include "datasets/boxes/reading.hpp"
#include "datasets/boxes/voc.hpp"
#include "datasets/boxes/yolo.hpp"
#include "tests/datasets/boxes/data_files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/images.hpp"

using namespace fovea;
using test::fails_with;
using test::put;
namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

// Two pictures with boxes of whole pixels, of which shares are exact.
BoxPart part_below(const fs::path& folder) {
  fs::create_directories(folder);
  BoxPart part{"train", {{"cat", "dog"}, {1, 2}, {}}};
  for (const char* name : {"a.png", "b.png"}) {
    REQUIRE(cv::imwrite((folder / name).string(), test::noise(64, 32, CV_8UC3)));
    part.data.images.push_back(
        {folder / name, std::ssize(part.data.images) + 1, {64, 32}, {{{1, 2, 33, 16}, 1}, {{0, 0, 64, 32}, 0}}});
  }
  return part;
}

}  // namespace

TEST_CASE("boxes: every format by what its source is, with the same data") {
  const test::Folder f;
  const BoxPart voc = part_below(f / "voc/JPEGImages"), yolo = part_below(f / "yolo/images/train"), coco = part_below(f / "coco");
  write_voc(f / "voc", {voc});
  write_yolo(f / "yolo", {yolo});
  write_coco(f / "coco/TRAIN.json", coco.data);
  CHECK(box_format(f / "voc") == BoxFormat::voc);
  CHECK(box_format(f / "yolo") == BoxFormat::yolo);
  CHECK(box_format(f / "yolo/data.yaml") == BoxFormat::yolo);
  CHECK(box_format(f / "coco/TRAIN.json") == BoxFormat::coco);
  CHECK(box_parts(f / "voc") == Names{"train"});
  CHECK(box_parts(f / "yolo") == Names{"train"});
  CHECK(box_parts(f / "coco/TRAIN.json").empty());
  for (const auto& [source, part] : {std::pair<const char*, const char*>{"voc", "train"},
                                     {"voc", ""},
                                     {"yolo", "train"},
                                     {"yolo/data.yaml", ""},
                                     {"coco/TRAIN.json", ""}}) {
    INFO(source << " " << part);
    const BoxData data = read_boxes(f / source, part);
    CHECK((data.classes == Names{"cat", "dog"} && data.faults.empty() && data.bad.empty()));
    REQUIRE(data.images.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK((data.images[i].file.filename() == coco.data.images[i].file.filename() && fs::exists(data.images[i].file)));
      CHECK((data.images[i].size == cv::Size(64, 32) && data.images[i].id == static_cast<std::int64_t>(i) + 1));
      REQUIRE(data.images[i].annotations.size() == 2);
      for (std::size_t k = 0; k < 2; ++k) {
        const Annotation &a = data.images[i].annotations[k], &b = coco.data.images[i].annotations[k];
        CHECK((a.box == b.box && a.label == b.label && !a.ignored));
      }
    }
    const BoxData chosen = read_boxes(f / source, part, {"eel", "dog"});
    CHECK((chosen.classes == Names{"eel", "dog"} && chosen.images[1].annotations.size() == 1 &&
           chosen.images[1].annotations[0].label == 1));
    CHECK(!chosen.faults.empty());
    for (const AnnotationFault& fault : chosen.faults) CHECK(fault.kind == AnnotationFault::Kind::unknown_class);
  }
}

TEST_CASE("boxes: sources and parts that are none") {
  const test::Folder f;
  put(f / "boxes.txt", "0 0 0 1 1");
  put(f / "images/a.png", "");
  CHECK(fails_with([&] { read_boxes(f / "nothing"); }, "there is no such file or folder"));
  CHECK(fails_with([&] { read_boxes(f / "boxes.txt"); }, "expected boxes of COCO"));
  CHECK(fails_with([&] { read_boxes(f.path()); }, "expected boxes of COCO"));
  CHECK(fails_with([&] { read_boxes(f / std::string(5000, 'x')); }, "there is no such file or folder"));
  put(f / "a.json", R"({"images": [], "categories": [], "annotations": []})");
  CHECK(fails_with([&] { read_boxes(f / "a.json", "train"); }, "a COCO file has no parts"));
}

TEST_CASE("boxes: the usual parts come in their order") {
  const test::Folder f;
  put(f / "Annotations/a.xml", "<annotation/>");
  for (const char* name : {"test", "cat_train", "valid", "val", "train", "trainval"})
    put(f / ("ImageSets/Main/" + std::string(name) + ".txt"), "a\n");
  CHECK(box_parts(f.path()) == Names{"train", "val", "valid", "test"});
}

TEST_CASE("boxes: numbers and lines from outside") {
  CHECK(number_of(" 1.5 \r") == 1.5);
  CHECK(number_of("-1e3") == -1000);
  CHECK(std::isnan(number_of("nan").value()));
  for (const char* text : {"", " ", "1.5x", "1,5", "0x10", "1e999", "--1", "1 2", "+"}) CHECK(!number_of(text));
  CHECK(lines_of("a\r\n\n b \nc") == std::vector<std::string_view>{"a", "", "b", "c"});
  CHECK(lines_of("").empty());
  CHECK((is_utf8("K\xC3\xA4"
                 "fer") &&
         !is_utf8("K\xE4"
                  "fer")));
  CHECK(shown(std::string(100, 'x')) == "'" + std::string(40, 'x') + "...'");
}
