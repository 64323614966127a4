#include "datasets/boxes/yolo.hpp"

#include <fstream>
#include <opencv2/imgcodecs.hpp>

#include "datasets/boxes/yolo_layout.hpp"
#include "modules/core/random.hpp"
#include "tests/datasets/boxes/data_files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/fuzz.hpp"
#include "tests/support/images.hpp"

using namespace fovea;
using test::fails_with;
using test::put;
namespace fs = std::filesystem;

namespace {

using Kind = AnnotationFault::Kind;
using Names = std::vector<std::string>;

void put_picture(const fs::path& file, int width = 40, int height = 20) { test::put_picture(file, width, height); }

Names names_of(const BoxData& data, const fs::path& root) {
  Names names;
  for (const AnnotatedImage& i : data.images) names.push_back(i.file.lexically_relative(root).string());
  return names;
}

// A folder with one picture of 40x20 and the labels that are tried.
class Tried : public test::Folder {
 public:
  explicit Tried(const std::string& labels) {
    put(*this / "classes.txt", "cat\ndog\n");
    put_picture(*this / "images/a.png");
    put(*this / "labels/a.txt", labels);
  }
  BoxData read() const { return read_yolo(path()); }
  // The only fault of the first line, whose picture stays.
  std::string fault() const {
    const BoxData data = read();
    REQUIRE(data.faults.size() == 1);
    CHECK((data.images.size() == 1 && data.images[0].annotations.empty() && data.faults[0].file == *this / "labels/a.txt"));
    return data.faults[0].reason;
  }
};

bool yaml_refused(const std::string& text, const std::string& message) {
  const test::Folder f;
  put_picture(f / "images/a.png");
  put(f / "data.yaml", text);
  INFO(text.substr(0, 200));
  return fails_with([&] { read_yolo(f.path()); }, message);
}

}  // namespace

TEST_CASE("yolo: lines are shares of the picture's own size") {
  const Tried t(
      "\xEF\xBB\xBF"
      "0 0.5 0.5 0.25 0.5\r\n\n1 0.1 0.25 2e-1 0.5 0.875\n  1.0\t0 0 1 1  \n");
  const BoxData data = t.read();
  CHECK((data.classes == Names{"cat", "dog"} && data.category_ids == std::vector<std::int64_t>{1, 2} && data.faults.empty() &&
         data.bad.empty()));
  REQUIRE(data.images.size() == 1);
  CHECK((data.images[0].size == cv::Size(40, 20) && data.images[0].source == t / "labels/a.txt" && data.images[0].id == 1));
  REQUIRE(data.images[0].annotations.size() == 3);
  CHECK(data.images[0].annotations[0] == Annotation{{15, 5, 25, 15}, 0});
  CHECK(data.images[0].annotations[1] == Annotation{{0, 0, 8, 10}, 1});
  CHECK(data.images[0].annotations[2] == Annotation{{-20, -10, 20, 10}, 1});  // partly outside: as written
  const BoxData given = read_yolo(t.path(), "", {"eel", "dog"});
  CHECK((given.classes == Names{"eel", "dog"} && given.images[0].annotations.size() == 2 &&
         given.images[0].annotations[0].label == 1));
  REQUIRE(given.faults.size() == 1);
  CHECK((given.faults[0].kind == Kind::unknown_class && given.faults[0].reason == "line 1: 'cat' is none of the 2 classes"));
}

TEST_CASE("yolo: lines that are none are left out with a reason, the others stay") {
  CHECK(Tried("0 0.1 0.1 0.9 0.1 0.9 0.9").fault() ==
        "line 1: a polygon or an oriented box of 3 points; expected class, centre, width and height");
  CHECK(Tried("0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9").fault().find("of 4 points") != std::string::npos);
  CHECK(Tried("0 0.1 0.1 0.9").fault() == "line 1: expected class, centre, width and height, got 4 numbers");
  CHECK(Tried("0 0.1 0.1 0.9 0.1 0.9 0.9 1").fault().find("got 8 numbers") != std::string::npos);
  CHECK(Tried("cat 0.1 0.1 0.9 0.9").fault().find("got 'cat 0.1 0.1 0.9 0.9'") != std::string::npos);
  CHECK(Tried("0,0.1,0.1,0.9,0.9").fault().find("line 1: expected class") == 0);
  CHECK(Tried("-1 0.5 0.5 0.2 0.2").fault().find("expected the number of a class, got -1") != std::string::npos);
  CHECK(Tried("0.5 0.5 0.5 0.2 0.2").fault().find("expected the number of a class") != std::string::npos);
  CHECK(Tried("nan 0.5 0.5 0.2 0.2").fault().find("expected the number of a class") != std::string::npos);
  CHECK(Tried("1e300 0.5 0.5 0.2 0.2").fault().find("expected the number of a class") != std::string::npos);
  CHECK(Tried("2 0.5 0.5 0.2 0.2").fault() == "line 1: class 2 has no name; there are 2");
  CHECK(Tried("0 1e999 0.5 0.2 0.2").fault().find("line 1: expected class") == 0);
  CHECK(Tried("0 120 80 30 40").fault() == "line 1: expected shares of the picture from 0 to 1, got '0 120 80 30 40'");
  CHECK(Tried("0 nan 0.5 0.2 0.2").fault() == "line 1 'cat': a box that is not finite: nan 8 nan 12");
  CHECK(Tried("0 0.5 0.5 inf 0.2").fault().find("that is not finite") != std::string::npos);
  CHECK(Tried("0 0.5 0.5 0 0.2").fault().find("line 1 'cat': a box without area: 20 8 20 12") == 0);
  CHECK(Tried("0 0.5 0.5 -0.1 0.2").fault().find("a box without area") != std::string::npos);
  CHECK(Tried("0 1.5 0.5 0.2 0.2").fault().find("a box beside its picture of 40x20") != std::string::npos);
  const BoxData data = Tried("0 0.5 0.5 0 0.2\n1 0.5 0.5 0.5 0.5\nx\n0 0.5 0.5 0.25 0.5").read();
  CHECK((data.images[0].annotations.size() == 2 && data.faults.size() == 2 && data.faults[0].kind == Kind::degenerate));
  CHECK(data.faults[1].reason.find("line 3: expected class") == 0);
}

TEST_CASE("yolo: what is no text of labels takes its picture out") {
  const auto refused = [](const std::string& labels) {
    const Tried t(labels);
    put_picture(t / "images/b.png");
    const BoxData data = t.read();
    CHECK((data.images.size() == 1 && data.images[0].file == t / "images/b.png" && data.images[0].source.empty() &&
           data.faults.empty()));
    REQUIRE(data.bad.size() == 1);
    CHECK(data.bad[0].file == t / "labels/a.txt");
    return data.bad[0].reason;
  };
  CHECK(refused(std::string("\0\1\2", 3)).find("not a text file") != std::string::npos);
  CHECK(refused(std::string(17 << 20, ' ')).find("too large for what it should hold") != std::string::npos);
  std::string many;
  for (int i = 0; i < 1500; ++i) many += "\x89PNG " + std::to_string(i) + "\n";
  CHECK(refused(many).find("more than 1000 unreadable lines, the last: line 1001") != std::string::npos);
  const Tried alone(many);
  CHECK(fails_with([&] { alone.read(); }, "no annotated picture can be read; the first reason: "));
}

TEST_CASE("yolo: a line that ends anywhere is read or refused") {
  const std::string whole = "1 0.1 0.25 0.2 0.5 0.875";
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    const BoxData data = Tried(whole.substr(0, n)).read();
    CHECK((n == 0 || data.images[0].annotations.size() + data.faults.size() == 1));
  }
}

TEST_CASE("yolo: folders, with and without parts; pictures without labels, labels without a picture") {
  const test::Folder f;
  put(f / "labels/classes.txt", "cat");
  for (const char* name : {"images/train/deep/a.png", "images/train/b.jpg", "images/val/c.png"}) put_picture(f / name);
  put(f / "labels/train/deep/a.txt", "0 0.5 0.5 0.5 0.5");
  put(f / "labels/val/gone.txt", "0 0.5 0.5 0.5 0.5");
  put(f / "labels/readme.md", "text");
  CHECK(yolo_parts(f.path()) == Names{"train", "val"});
  CHECK(names_of(read_yolo(f.path(), "train"), f.path()) == Names{"images/train/b.jpg", "images/train/deep/a.png"});
  const BoxData all = read_yolo(f.path());
  CHECK(names_of(all, f.path()) == Names{"images/train/b.jpg", "images/train/deep/a.png", "images/val/c.png"});
  CHECK((all.images[0].annotations.empty() && all.images[1].annotations.size() == 1 && all.images[2].id == 3));
  REQUIRE(all.faults.size() == 1);
  CHECK((all.faults[0].kind == Kind::no_picture && all.faults[0].file == f / "labels/val/gone.txt"));
  CHECK(fails_with([&] { read_yolo(f.path(), "test"); }, "there is no part 'test'; there are train, val"));

  const test::Folder roboflow;
  put(roboflow / "classes.txt", "cat\n\n");
  for (const char* part : {"train", "valid"}) put_picture(roboflow / (std::string(part) + "/images/a.png"));
  put(roboflow / "valid/labels/a.txt", "0 0.5 0.5 0.5 0.5");
  CHECK(yolo_parts(roboflow.path()) == Names{"train", "valid"});
  CHECK(read_yolo(roboflow.path(), "valid").images[0].annotations.size() == 1);
  CHECK(read_yolo(roboflow.path()).images.size() == 2);

  const test::Folder none;
  put_picture(none / "images/a.png");
  CHECK(fails_with([&] { read_yolo(none.path()); },
                   "expected the names of the classes in data.yaml or classes.txt, there is neither"));
  CHECK(read_yolo(none.path(), "", {"cat"}).classes == Names{"cat"});
  put(none / "classes.txt", "cat\n\ndog\n");
  CHECK(fails_with([&] { read_yolo(none.path()); }, "classes.txt:2: expected the name of class 1, got an empty line"));
  CHECK(fails_with([&] { read_yolo(none / "images"); }, "expected a folder of YOLO"));
  CHECK(fails_with([&] { read_yolo(none / "nothing"); }, "there is none"));
}

TEST_CASE("yolo: data.yaml as Ultralytics and Roboflow write it") {
  const test::Folder f;
  for (const char* name : {"images/train/a.png", "images/more/b.png", "images/val/c.png"}) put_picture(f / name);
  put(f / "labels/val/c.txt", "1 0.5 0.5 0.5 0.5");
  put(f / "list.txt", "./images/val/c.png\n" + (f / "images/more/b.png").string() + "\n\nimages/none.png\n");
  put(f / "data.yaml",
      "path: ../datasets/somewhere\ntrain: [images/train, images/more]\nval: list.txt\ntest:  # optional\nnc: 2\nnames: {1: dog, "
      "0: cat}\n");
  CHECK(yolo_parts(f.path()) == Names{"train", "val"});
  const BoxData train = read_yolo(f.path(), "train"), val = read_yolo(f / "data.yaml", "val");
  CHECK(train.classes == Names{"cat", "dog"});
  CHECK(names_of(train, f.path()) == Names{"images/train/a.png", "images/more/b.png"});
  CHECK(names_of(val, f.path()) == Names{"images/val/c.png", "images/more/b.png"});
  CHECK(val.images[0].annotations == std::vector<Annotation>{{{10, 5, 30, 15}, 1}});
  REQUIRE(val.bad.size() == 1);
  CHECK(val.bad[0].reason.find("images/none.png: cannot read: no such file") != std::string::npos);
  CHECK(read_yolo(f.path()).images.size() == 4);

  put(f / "other/data.yaml", "path: ..\ntrain: images/train\nval: ../images/nowhere\nnames: [cat]\n");
  const BoxData some = read_yolo(f / "other");
  CHECK((some.images.size() == 1 && some.bad.size() == 1));
  CHECK(some.bad[0].reason.find("images/nowhere: expected a folder of pictures or a list of them, there is none") !=
        std::string::npos);

  put_picture(f / "robo/train/images/a.png");
  put(f / "robo/data.yaml", "train: ../train/images\nnames: ['cat']\nnc: 1\nroboflow: {version: 1}\n");
  CHECK(names_of(read_yolo(f / "robo"), f.path()) == Names{"robo/train/images/a.png"});
}

TEST_CASE("yolo: a data.yaml that is none is refused with its line") {
  CHECK(yaml_refused("", "expected a key 'names'"));
  CHECK(yaml_refused("names: [cat]\n", "expected train, val or test with pictures"));
  CHECK(yaml_refused("train: images\nnames:\n", "data.yaml:2: expected the names of the classes"));
  CHECK(
      yaml_refused("train: images\nnames: {0: cat, 2: dog}\n", "expected the number of a class from 0 to 1, each once, got '2'"));
  CHECK(yaml_refused("train: images\nnames: {0: cat, 00: dog}\n",
                     "expected the number of a class from 0 to 1, each once, got '00'"));
  CHECK(yaml_refused("train: images\nnames: {cat: 0}\n", "got 'cat'"));
  CHECK(yaml_refused("train: images\nnames: {18446744073709551616: a}\n", "expected the number of a class"));
  CHECK(yaml_refused("train: images\nnames: [[a]]\n", "expected one value, got a sequence"));
  CHECK(yaml_refused("train: images\nnames: ['']\n", "expected names of classes in UTF-8, got none"));
  CHECK(yaml_refused("train: images\nnames: [cat]\nnc: 2\n",
                     "data.yaml:3: expected nc: 1, since there are so many names, got '2'"));
  CHECK(yaml_refused("train: {a: b}\nnames: [cat]\n", "expected one value, got a mapping"));
  CHECK(yaml_refused("train: [images\nnames: [cat]\n", "data.yaml:"));
  CHECK(yaml_refused(std::string("names: \0", 8), "not a text file"));
  CHECK(yaml_refused(std::string(2 << 20, '#'), "too large for what it should hold"));
  CHECK(yaml_refused("names: " + std::string(200000, '['), "data.yaml"));
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) laughs += (k ? ", " : "") + before;
    laughs += "]\n";
  }
  CHECK(yaml_refused(laughs + "names: *a9\n", "too deep or too large"));
}

TEST_CASE("yolo: where labels lie") {
  CHECK(yolo_labels_of("d/images/train/a.b.jpg") == "d/labels/train/a.b.txt");
  CHECK(yolo_labels_of("/images/x/images/a.png") == "/images/x/labels/a.txt");
  CHECK(yolo_labels_of("d/images.png") == "d/images.txt");
  CHECK(yolo_labels_of("d/images") == "d/images.txt");  // a picture of that name
}

TEST_CASE("yolo: writing and reading gives the same boxes to 1e-6 pixels") {
  const test::Folder f;
  Random random(5);
  fs::create_directories(f / "images/train");
  BoxPart train{"train", {{"yes", "1", "a: \"b\" #c", "猫"}, {1, 2, 3, 4}, {}}}, val = train;
  val.name = "val";
  for (std::int64_t i = 0; i < 8; ++i) {
    AnnotatedImage image{f / ("images/train/p" + std::to_string(i) + ".png"), i + 1, {4001, 3001}, {}};
    REQUIRE(cv::imwrite(image.file.string(), cv::Mat::zeros(3001, 4001, CV_8U)));
    if (i == 5) image.size = {};  // read from the picture
    for (std::int64_t k = 0; k < 3 * i; ++k) {
      const double x = random.uniform() * 4000 - 10, y = random.uniform() * 2900;
      image.annotations.push_back(
          {{x, y, x + 1000 * random.uniform() + 11, y + 1e-3 + random.uniform()}, random.below(4), false, 5});
    }
    image.annotations.push_back({{1, 2, 3, 4}, 0, true});
    train.data.images.push_back(std::move(image));
  }
  put_picture(f / "images/val/p0.png");
  val.data.images = {{f / "images/val/p0.png", 1, {40, 20}, {}}};
  write_yolo(f.path(), {train, val});
  const BoxData read = read_yolo(f.path(), "train");
  CHECK((read.classes == train.data.classes && read.faults.empty() && read.bad.empty() && read.images.size() == 8));
  for (std::size_t i = 0; i < 8; ++i) {
    const auto &a = read.images[i].annotations, &b = train.data.images[i].annotations;
    REQUIRE(a.size() + 1 == b.size());  // without the ignored one
    for (std::size_t k = 0; k < a.size(); ++k) {
      const Box &p = a[k].box, &q = b[k].box;
      CHECK(a[k].label == b[k].label);
      CHECK(std::max({std::abs(p.x1 - q.x1), std::abs(p.y1 - q.y1), std::abs(p.x2 - q.x2), std::abs(p.y2 - q.y2)}) < 1e-6);
    }
  }
  CHECK(read_yolo(f / "data.yaml").images.size() == 9);
}

TEST_CASE("yolo: what it cannot hold is not written") {
  const test::Folder f;
  const auto part = [&](const std::string& name, const Names& classes, const std::vector<fs::path>& files) {
    BoxPart p{name, {classes, {}, {}}};
    for (const fs::path& file : files) p.data.images.push_back({file, 1, {4, 4}, {{{0, 0, 1, 1}, 0}}});
    return p;
  };
  const auto refused = [&](const std::vector<BoxPart>& parts, const std::string& message) {
    return fails_with([&] { write_yolo(f / "out", parts); }, message) && !fs::exists(f / "out/data.yaml");
  };
  CHECK(refused({}, "expected at least one part"));
  CHECK(refused({part("../x", {"a"}, {"a.png"})}, "expected a part's name"));
  CHECK(refused({part("", {"a"}, {"x/a.png", "y/a.png"})}, "two pictures would share the annotations 'a'"));
  CHECK(refused({part("x", {"a"}, {"a.png"}), part("y", {"b"}, {"a.png"})},
                "expected the same classes in all parts, 'y' has others than 'x'"));
  CHECK(refused({part("x", {"\xE4"}, {"a.png"})}, "expected names in UTF-8"));
  CHECK(refused({part("x", {}, {"a.png"})}, "expected a label below 0"));
  BoxPart unknown = part("x", {"a"}, {f / "missing.png"});
  unknown.data.images[0].size = {};
  CHECK(refused({unknown}, "missing.png: cannot read"));
}

TEST_CASE("fuzz: yolo", "[fuzz]") {
  const Tried t("");
  CHECK(test::fuzz("yolo labels", {"0 0.5 0.5 0.25 0.5\n1 0.1 0.25 0.2 0.5 0.875\n"}, [&](const std::string& text) {
          put(t / "labels/a.txt", text);
          for (const AnnotatedImage& i : t.read().images)
            for (const Annotation& a : i.annotations) CHECK((is_valid(a.box) && a.label >= 0 && a.label < 2));
        }) > 0);
  // Without the folders, since a changed name can be that of the whole disk.
  CHECK(
      test::fuzz("yolo yaml",
                 {"path: .\ntrain: [images]\nval: list.txt\nnc: 2\nnames: {1: dog, 0: cat}\n", "train: images\nnames: [a, b]\n"},
                 [&](const std::string& text) {
                   put(t / "data.yaml", text);
                   const YoloLayout layout = yolo_layout(t.path());
                   CHECK((!layout.classes.empty() && !layout.parts.empty()));
                 }) > 0);
}
