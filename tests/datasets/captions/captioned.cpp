#include "datasets/captions/captioned.hpp"

#include <fstream>

#include "datasets/captions/collected.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/fuzz.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;
namespace fs = std::filesystem;
using test::fails_with;

namespace {

using Texts = std::vector<std::string>;

void put(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

bool names(const CaptionedData& data, const std::string& reason) {
  for (const BadFile& b : data.left_out)
    if (b.reason.find(reason) != std::string::npos) return true;
  return false;
}

const std::string kLines =
    "a.jpg#0\tA dog runs .\r\na.jpg#1\t  Two dogs \xF0\x9F\x90\xB6 \n\nb.jpg#0\tA cat .\nc.jpg#0\tA bird\n";
const std::string kCoco =
    R"({"info":{},"images":[{"id":7,"file_name":"a.jpg"},{"id":-3,"file_name":"b.jpg","width":3}],
    "annotations":[{"id":1,"image_id":-3,"caption":"A cat ."},{"id":2,"image_id":7,"caption":"A dog ."},
    {"id":3,"image_id":-3,"caption":"Cat"}]})";
const std::string kKarpathy =
    R"({"dataset":"flickr8k","images":[
    {"filename":"a.jpg","imgid":0,"split":"train","sentids":[0],
    "sentences":[{"tokens":["a","dog"],"raw":"A dog .","imgid":0,"sentid":0}]},
    {"filename":"b.jpg","filepath":"deep","split":"val","sentences":[{"raw":"A cat ."},{"raw":"Cat"}]}]})";

}  // namespace

TEST_CASE("captions: Flickr8k's lines, its lists of parts, and what of it cannot be used") {
  const test::Folder f;
  put(f / "captions.txt", kLines + "no tab here\nd.jpg#0\t...\ne.jpg#0\t\xFF\xFE\nb.jpg#1\t\n");
  put(f / "train.txt", "a.jpg\nnowhere.jpg\n");
  put(f / "dev.txt", "b.jpg\na.jpg\n");
  for (const char* name : {"a.jpg", "b.jpg", "d.jpg"}) put(f / "images" / name, "x");
  const CaptionedData all = read_captioned(f.path());
  REQUIRE(all.pictures.size() == 2);
  CHECK((all.pictures[0].file == f / "images" / "a.jpg" && all.pictures[0].split == "train"));
  CHECK(all.pictures[0].captions == Texts{"A dog runs .", "Two dogs \xF0\x9F\x90\xB6"});
  CHECK((all.pictures[1].captions == Texts{"A cat ."} && all.pictures[1].split == "dev"));
  CHECK(splits_of(all) == Texts{"train", "dev"});
  CHECK(captions_of(all.pictures).size() == 3);
  CHECK(names(all, "captions.txt:6: expected NAME#NUMBER, a tab and a caption, got 'no tab here'"));
  CHECK(names(all, "captions.txt:7: expected a caption with words, got '...'"));
  CHECK(names(all, "captions.txt:8: expected a caption in UTF-8, got '"));
  CHECK(names(all, "captions.txt:9: expected NAME#NUMBER"));
  CHECK(names(all, "dev.txt:2: 'a.jpg' is in the part 'train' already"));
  CHECK(names(all, "'c.jpg': there is no such picture"));
  CHECK(names(all, "'d.jpg': it has no captions"));
  CHECK(all.left_out.size() == 9);

  const CaptionedData train = read_captioned(f / "captions.txt", {.split = "train"});
  CHECK((train.pictures.size() == 1 && names(train, "'nowhere.jpg': there is no such picture")));
  CHECK(fails_with([&] { read_captioned(f.path(), {.split = "test"}); }, "there is no part 'test'; there are train, dev"));
}

TEST_CASE("captions: as CSV, pictures in another folder") {
  const test::Folder f, pictures;
  put(f / "Flickr8k.token.txt", "image,caption\na.jpg,\"A \"\"big\"\" dog, running\"\nb.jpg,A cat\nc.jpg,A,B\nd.jpg,\"open\n");
  put(pictures / "a.jpg", "x");
  put(pictures / "b.jpg", "x");
  const CaptionedData data = read_captioned(f.path(), {.images = pictures.path()});
  REQUIRE(data.pictures.size() == 2);
  CHECK(data.pictures[0].captions == Texts{"A \"big\" dog, running"});
  CHECK((data.pictures[0].split.empty() && splits_of(data).empty()));
  CHECK((names(data, "token.txt:4: ") && names(data, "token.txt:5: ") && data.left_out.size() == 2));
  CHECK(fails_with([&] { read_captioned(f.path()); }, "no picture with captions can be used; the first reason: "));
  CHECK(fails_with([&] { read_captioned(f.path(), {.split = "train"}); }, "there is no part 'train'; it names no parts"));
}

TEST_CASE("captions: COCO's") {
  const test::Folder f;
  put(f / "a.jpg", "x");
  put(f / "images/b.jpg", "x");
  put(f / "c.json", kCoco);
  const CaptionedData data = read_captioned(f / "c.json");
  REQUIRE(data.pictures.size() == 2);
  CHECK((data.pictures[0].file == f / "a.jpg" && data.pictures[0].captions == Texts{"A dog ."}));
  CHECK((data.pictures[1].file == f / "images/b.jpg" && data.pictures[1].captions == Texts{"A cat .", "Cat"}));
  CHECK(data.left_out.empty());

  put(f / "c.json", R"({"images":[{"id":1,"file_name":"a.jpg"},{"id":1,"file_name":"b.jpg"},{"file_name":"c.jpg"},5],
      "annotations":[{"image_id":2,"caption":"x"},{"image_id":1,"caption":""},{"image_id":1,"caption":4},
      {"image_id":1,"caption":"Dog"}]})");
  const CaptionedData bad = read_captioned(f / "c.json");
  REQUIRE(bad.pictures.size() == 1);
  CHECK(bad.pictures[0].captions == Texts{"Dog"});
  CHECK(names(bad, "c.json: images[1].id: 1 is there twice"));
  CHECK(names(bad, "c.json: annotations[0].image_id: there is no image 2"));
  CHECK(names(bad, "c.json: annotations[1]: expected a caption with words, got ''"));
  CHECK(names(bad, "c.json: annotations[2].caption: expected text"));
  CHECK(names(bad, "'b.jpg': it has no captions"));
}

TEST_CASE("captions: Karpathy's, with parts") {
  const test::Folder f;
  put(f / "images/a.jpg", "x");
  put(f / "images/deep/b.jpg", "x");
  put(f / "d.json", kKarpathy);
  const CaptionedData data = read_captioned(f / "d.json");
  REQUIRE(data.pictures.size() == 2);
  CHECK((data.pictures[0].split == "train" && data.pictures[0].captions == Texts{"A dog ."}));
  CHECK((data.pictures[1].file == f / "images/deep/b.jpg" && data.pictures[1].captions == Texts{"A cat .", "Cat"}));
  CHECK(read_captioned(f / "d.json", {.split = "val"}).pictures.size() == 1);
}

TEST_CASE("captions: what is no source of them") {
  const test::Folder f;
  CHECK(fails_with([&] { read_captioned(f.path()); }, "expected a folder with captions.txt or Flickr8k.token.txt"));
  CHECK(fails_with([&] { read_captioned(f / "none.json"); }, "none.json"));
  put(f / "x.json", kCoco.substr(0, 150));
  CHECK(fails_with([&] { read_captioned(f / "x.json"); }, "x.json: it is not JSON"));
  put(f / "x.json", "[1]");
  CHECK(fails_with([&] { read_captioned(f / "x.json"); }, "expected captions of COCO (images and annotations) or of Karpathy"));
  put(f / "x.txt", std::string("a.jpg#0\tA dog\n\0", 15));
  CHECK(fails_with([&] { read_captioned(f / "x.txt"); }, "not a text file"));
  std::string prose;
  for (int i = 0; i < 1001; ++i) prose += "It was the best of times\n";
  put(f / "y.txt", prose);
  CHECK(fails_with([&] { read_captioned(f / "y.txt"); }, "more than 1000 lines or entries say nothing, the first: "));
}

TEST_CASE("fuzz: captions", "[fuzz][datasets]") {
  const test::Folder f;
  for (const char* name : {"a.jpg", "b.jpg", "deep/b.jpg"}) put(f / name, "x");
  for (const auto& [name, seeds] :
       {std::pair("c.txt", Texts{kLines, "image,caption\na.jpg,\"A dog\"\n"}), std::pair("c.json", Texts{kCoco, kKarpathy})}) {
    const fs::path file = f / name;
    test::fuzz(name, seeds, [&](const std::string& text) {
      put(file, text);
      for (const CaptionedPicture& p : read_captioned(file).pictures) CHECK((!p.captions.empty() && fs::exists(p.file)));
    });
  }
}

TEST_CASE("captions: Flickr8k as it is") {
  FOVEA_NEEDS_SHARED(folder, "data/flickr8k");
  const CaptionedData all = read_captioned(folder);
  CHECK((all.pictures.size() == 7000 && splits_of(all) == Texts{"train", "dev"}));
  CHECK(read_captioned(folder, {.split = "dev"}).pictures.size() == 1000);
}
