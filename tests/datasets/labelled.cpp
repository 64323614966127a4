#include "datasets/labelled.hpp"

#include <opencv2/imgcodecs.hpp>
#include <set>

#include "datasets/progressive_resizing.hpp"
#include "modules/io/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/images.hpp"

using namespace fovea;
using test::fails_with;
namespace fs = std::filesystem;

namespace {

void put_image(const fs::path& file) {
  fs::create_directories(file.parent_path());
  REQUIRE(cv::imwrite(file.string(), test::noise(9, 7, CV_8UC3)));
}

void put_text(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  write_file_atomically(file, text.data(), text.size());
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("labelled: a folder a class, at any depth, in order of name; hidden folders and other files are left out") {
  const test::Folder f;
  for (const char* name : {"dog/b.png", "dog/deep/a.png", "cat/z.png", ".cache/x.png", "cat/.hidden.png"}) put_image(f / name);
  put_text(f / "README.md", "text");
  put_text(f / "cat/notes.txt", "text");
  const LabelledData data = read_labelled({f.path()});
  CHECK(data.classes == Names{"cat", "dog"});
  REQUIRE(data.samples.size() == 3);
  CHECK((data.samples[0].file == f / "cat/z.png" && data.samples[0].label == 0));
  CHECK((data.samples[1].file == f / "dog/b.png" && data.samples[1].label == 1));
  CHECK(data.samples[2].file == f / "dog/deep/a.png");
  CHECK(class_counts(data.samples, 2) == std::vector<std::int64_t>{1, 2});

  const LabelledData given = read_labelled({f.path()}, {"eel", "dog", "cat"});
  CHECK((given.samples[0].label == 2 && given.samples[1].label == 1));
  CHECK(fails_with([&] { read_labelled({f.path()}, {"dog", "eel"}); }, "'cat' is none of the model's 2 classes"));
}

TEST_CASE("labelled: the parts of a data set are no classes") {
  const test::Folder f;
  for (const char* name : {"train/cat/a.png", "train/dog/a.png", "Validation/cat/b.png", "Validation/dog/b.png"})
    put_image(f / name);
  CHECK(
      fails_with([&] { read_labelled({f.path()}); }, "found 'Validation', 'train', which are called as the parts of a data set"));
  CHECK(read_labelled({f / "train", f / "Validation"}).classes == Names{"cat", "dog"});
  put_image(f / "bus/a.png");  // vehicles
  CHECK(read_labelled({f.path()}).classes == Names{"Validation", "bus", "train"});
}

TEST_CASE("labelled: formats that are not read are listed, and said where nothing else is there") {
  const test::Folder f;
  put_image(f / "cat/a.png");
  put_text(f / "cat/b.exr", "x");
  put_text(f / "dog/c.psd", "x");
  CHECK(fails_with([&] { read_labelled({f.path()}); },
                   "the class 'dog' has no images; remove the folder or fill it; left out: 1, the first: "));
  put_image(f / "dog/a.png");
  const LabelledData data = read_labelled({f.path()});
  CHECK((data.samples.size() == 2 && data.left_out.size() == 2));
  CHECK((data.left_out[0].file == f / "cat/b.exr" && data.left_out[0].fault == Fault::skipped));
}

TEST_CASE("labelled: folders that cannot be meant so are refused") {
  const test::Folder f;
  CHECK(fails_with([&] { read_labelled({f.path()}); }, "found no folder"));
  put_image(f / "cat/a.png");
  fs::create_directories(f / "dog");
  CHECK(fails_with([&] { read_labelled({f.path()}); }, "the class 'dog' has no images"));
  put_image(f / "dog/a.png");
  CHECK(read_labelled({f.path()}).samples.size() == 2);
  put_image(f / "stray.png");
  CHECK(fails_with([&] { read_labelled({f.path()}); }, "stray.png: an image beside the class folders"));
  CHECK(fails_with([&] { read_labelled({f / "none"}); }, "none: expected a folder"));
  CHECK(fails_with([&] { read_labelled({f / "stray.png"}); }, "or a .csv file"));
  CHECK(fails_with([&] { read_labelled({}); }, "no sources"));
}

TEST_CASE("labelled: tables, several sources, contradictions") {
  const test::Folder f;
  put_text(f / "t/a.csv", "label,id,path\ncat,1,x/1.png\ndog,2,/abs/2.png\n\"big, cat\",3,\"x/3, 4.png\"\n");
  const LabelledData data = read_labelled({f / "t/a.csv"});
  CHECK(data.classes == Names{"big, cat", "cat", "dog"});
  REQUIRE(data.samples.size() == 3);
  CHECK((data.samples[0].file == f / "t/x/1.png" && data.samples[0].label == 1));
  CHECK(data.samples[1].file == "/abs/2.png");
  CHECK((data.samples[2].file == f / "t/x/3, 4.png" && data.samples[2].label == 0));

  put_text(f / "b.csv", "path,label\nt/x/1.png,cat\n");
  CHECK(read_labelled({f / "t/a.csv", f / "b.csv"}).samples.size() == 4);  // twice the same is no contradiction
  put_text(f / "b.csv", "path,label\nt/../t/x/1.png,dog\n");
  CHECK(fails_with([&] { read_labelled({f / "t/a.csv", f / "b.csv"}); }, "is 'dog' here and 'cat' in"));
  put_text(f / "b.csv", "path,label\nx.png,\n");
  CHECK(fails_with([&] { read_labelled({f / "b.csv"}); }, "b.csv:2: the path or the label is empty"));
  put_text(f / "b.csv", "path,class\nx.png,a\n");
  CHECK(fails_with([&] { read_labelled({f / "b.csv"}); }, "expected a column 'label'"));
  put_text(f / "b.csv", "path,label\n");
  CHECK(fails_with([&] { read_labelled({f / "b.csv"}); }, "no lines below the header"));
  put_text(f / "b.csv", std::string("\x89PNG\0\0", 6));
  CHECK(fails_with([&] { read_labelled({f / "b.csv"}); }, "not a text file"));
}

TEST_CASE("split: a share of every class, the same for the same seed; each class keeps one to train with") {
  std::vector<Sample> samples;
  for (int i = 0; i < 100; ++i) samples.push_back({std::to_string(i), i < 60 ? 0 : i < 98 ? 1 : i == 98 ? 2 : 3});
  const Split a = split(samples, 0.25, 7), b = split(samples, 0.25, 7), c = split(samples, 0.25, 8);
  CHECK(class_counts(a.validation, 4) == std::vector<std::int64_t>{15, 10, 0, 0});
  CHECK(class_counts(a.training, 4) == std::vector<std::int64_t>{45, 28, 1, 1});
  std::set<fs::path> all, chosen, again, others;
  for (const Sample& s : a.training) all.insert(s.file);
  for (const Sample& s : a.validation) all.insert(s.file), chosen.insert(s.file);
  for (const Sample& s : b.validation) again.insert(s.file);
  for (const Sample& s : c.validation) others.insert(s.file);
  CHECK((all.size() == 100 && chosen == again && chosen != others));
  CHECK(split(samples, 0, 7).validation.empty());
  CHECK(class_counts(split(samples, 0.99, 7).training, 4) == std::vector<std::int64_t>{1, 1, 1, 1});
  CHECK(fails_with([&] { split(samples, 1, 7); }, "[0, 1)"));
  CHECK(fails_with([&] { class_counts(samples, 3); }, "label 3 of 3 classes"));
}

TEST_CASE("growing pictures: each size for an equal part, the last one to the end") {
  const test::Folder f;
  put_image(f / "a.png");
  const Photos photos(unlabelled({f.path()}));
  PhotoSource::Options o;
  o.batch = 1, o.preprocess.height = 10, o.preprocess.width = 20;
  const ProgressiveResizing grows(photos, o, {4, 6, 8}, 10);
  for (const auto& [number, side] :
       std::vector<std::pair<std::int64_t, int>>{{0, 4}, {3, 4}, {4, 6}, {7, 6}, {8, 8}, {9, 8}, {50, 8}})
    CHECK(grows.batch(number).input().shape() == Shape{1, 3, side, side});
  CHECK(ProgressiveResizing(photos, o, {}, 10).batch(3).input().shape() == Shape{1, 3, 10, 20});
  CHECK(fails_with([&] { ProgressiveResizing(photos, o, {0}, 10); }, "sizes from 1"));
}
