#include "datasets/boxes/voc.hpp"

#include <sys/stat.h>

#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <sstream>

#include "modules/core/random.hpp"
#include "tests/datasets/boxes/data_files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/fuzz.hpp"
#include "tests/support/images.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;
using test::fails_with;
using test::put;
namespace fs = std::filesystem;

namespace {

using Kind = AnnotationFault::Kind;
using Names = std::vector<std::string>;

void put_picture(const fs::path& file, int width = 64, int height = 48) { test::put_picture(file, width, height); }

std::string object(const std::string& name, const std::string& box, const std::string& more = "") {
  const char* corners[] = {"xmin", "ymin", "xmax", "ymax"};
  std::string text = "<object><name>" + name + "</name>" + more + "<bndbox>";
  std::istringstream words(box);
  for (const char* corner : corners) {
    std::string word;
    words >> word;
    text += std::string("<") + corner + ">" + word + "</" + corner + ">";
  }
  return text + "</bndbox></object>";
}

std::string annotation(const std::string& objects,
                       const std::string& head = "<size><width>64</width><height>48</height></size>") {
  return "<annotation>" + head + objects + "</annotation>";
}

// A data set with one whole file beside the text that is tried.
class Tried : public test::Folder {
 public:
  explicit Tried(const std::string& text) {
    put(*this / "Annotations/good.xml", annotation(object("cat", "1 2 3 4")));
    put(*this / "Annotations/tried.xml", text);
  }
  BoxData read() const { return read_voc(path()); }
  // Why the file is left out as a whole.
  std::string refused() const {
    const BoxData data = read();
    REQUIRE(data.images.size() == 1);
    REQUIRE(data.bad.size() == 1);
    CHECK(data.faults.empty());
    return data.bad[0].reason;
  }
};

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("voc: objects, classes by name, difficult ones ignored, real numbers, pictures without a size") {
  const test::Folder f;
  put(f / "Annotations/b.xml",
      annotation("<object><name> dog "
                 "</name><pose>Left</pose><difficult>1</difficult><part><name>head</name><bndbox><xmin>9</xmin></bndbox>"
                 "</part><bndbox><ymax>40</ymax><xmin>1</xmin><ymin>2</ymin><xmax>30.25</xmax></bndbox></object>" +
                 object("cat", "-5 2 30 40") + object("cat", "1e1 2.5 30 4.75e1")));
  put(f / "Annotations/a.xml", annotation("", "<filename>a.jpg</filename>"));
  put(f / "Annotations/notes.txt", "no annotation");
  const BoxData data = read_voc(f.path());
  CHECK(data.classes == Names{"cat", "dog"});
  CHECK(data.category_ids == std::vector<std::int64_t>{1, 2});
  CHECK((data.faults.empty() && data.bad.empty()));
  REQUIRE(data.images.size() == 2);
  CHECK((data.images[0].size.empty() && data.images[0].annotations.empty() && data.images[0].id == 1));
  const AnnotatedImage& b = data.images[1];
  CHECK((b.size == cv::Size(64, 48) && b.id == 2 && b.source == f / "Annotations/b.xml"));
  REQUIRE(b.annotations.size() == 3);
  CHECK(b.annotations[0] == Annotation{{1, 2, 30.25, 40}, 1, true});
  CHECK(b.annotations[1] == Annotation{{-5, 2, 30, 40}, 0});  // partly outside: as written
  CHECK(b.annotations[2] == Annotation{{10, 2.5, 30, 47.5}, 0});
}

TEST_CASE("voc: corners that count pixels from 1") {
  const test::Folder f;
  put(f / "Annotations/a.xml", annotation(object("cat", "1 1 64 48")));
  CHECK(read_voc(f.path()).images[0].annotations[0].box == Box{1, 1, 64, 48});
  const BoxData data = read_voc(f.path(), "", {}, {.one_based = true});
  CHECK(data.images[0].annotations[0].box == Box{0, 0, 64, 48});
  const test::Folder to;
  write_voc(to.path(), {{"", data}}, {.one_based = true});
  CHECK(read_voc(to.path()).images[0].annotations[0].box == Box{1, 1, 64, 48});
  CHECK(read_voc(to.path(), "", {}, {.one_based = true}).images[0].annotations == data.images[0].annotations);
}

TEST_CASE("voc: parts are lists, in ImageSets or its Main, in their order") {
  const test::Folder f;
  for (const char* name : {"a", "b", "c.1", "sub/d"})
    put(f / ("Annotations/" + std::string(name) + ".xml"), annotation(object("cat", "1 2 3 4")));
  put(f / "ImageSets/train.txt",
      "\xEF\xBB\xBF"
      "c.1\r\n\r\n  a  \nsub/d\n");
  put(f / "ImageSets/Main/val.txt", "b.jpg\nmissing\n../a\n/a\n");
  const BoxData train = read_voc(f.path(), "train");
  REQUIRE(train.images.size() == 3);
  CHECK(train.images[0].source == f / "Annotations/c.1.xml");
  CHECK(train.images[1].source == f / "Annotations/a.xml");
  CHECK(train.images[2].file == f / "JPEGImages/sub/d.jpg");
  const BoxData val = read_voc(f.path(), "val");
  REQUIRE(val.images.size() == 1);
  REQUIRE(val.bad.size() == 1);
  CHECK(contains(val.bad[0].reason, "missing.xml: cannot read: no such file"));
  REQUIRE(val.faults.size() == 2);
  CHECK(contains(val.faults[1].reason, "line 4: expected a name below Annotations, got '/a'"));
  CHECK(read_voc(f.path()).images.size() == 3);  // without those in folders
  CHECK(voc_parts(f.path()) == Names{"train", "val"});
  CHECK(box_parts(f.path()) == Names{"train", "val"});
  CHECK(fails_with([&] { read_voc(f.path(), "test"); }, "there is no ImageSets/test.txt; there are train, val"));
  CHECK(fails_with([&] { read_voc(f.path(), "../ImageSets/train"); }, "there is no ImageSets/"));
  CHECK(fails_with([&] { read_voc(f / "ImageSets"); }, "expected a folder of Pascal VOC, with Annotations inside"));
}

TEST_CASE("voc: the picture is the one called as the file, else as it says") {
  const test::Folder f;
  for (const char* name : {"a.png", "b.jpg", "other.jpg"}) put_picture(f / ("JPEGImages/" + std::string(name)));
  put_picture(f / "elsewhere/far.png");
  put(f / "Annotations/a.xml", annotation("", "<filename>other.jpg</filename>"));  // a name that was not changed with the file's
  put(f / "Annotations/b.xml", annotation("", "<filename>b</filename>"));
  put(f / "Annotations/c.xml", annotation("", "<filename>other.jpg</filename>"));
  put(f / "Annotations/d.xml", annotation("", "<filename>far.png</filename><path>elsewhere/far.png</path>"));
  put(f / "Annotations/e.xml", annotation("", "<filename>../../etc/e.png</filename><path>/nowhere/e.png</path>"));
  put(f / "Annotations/f.xml", annotation("", ""));
  const BoxData data = read_voc(f.path());
  Names names;
  for (const AnnotatedImage& i : data.images) names.push_back(i.file.lexically_relative(f.path()).string());
  CHECK(names == Names{"JPEGImages/a.png", "JPEGImages/b.jpg", "JPEGImages/other.jpg", "elsewhere/far.png", "JPEGImages/e.png",
                       "JPEGImages/f.jpg"});
}

TEST_CASE("voc: objects that cannot be used are left out with a reason, the others stay") {
  const Tried t(annotation(object("cat", "nan 2 3 4") + object("cat", "inf 2 3 4") + object("cat", "12 30 12 40") +
                           object("cat", "30 2 12 40") + object("cat", "64 2 80 40") + object("cat", "1e999 2 3 4") +
                           object("cat", "1 x 3 4") + object("cat", "1 2 3") + object("", "1 2 3 4") + object("\xE4", "1 2 3 4") +
                           "<object><name>cat</name><robndbox/></object>" + object("only", "5 5 5 5") +
                           object("dog", "5 6 7 8")));
  const BoxData data = t.read();
  CHECK(data.classes == Names{"cat", "dog"});  // not what only degenerate boxes are called
  REQUIRE(data.images.size() == 2);
  CHECK(data.images[1].annotations == std::vector<Annotation>{{{5, 6, 7, 8}, 1}});
  const std::vector<std::pair<Kind, std::string>> expected{
      {Kind::degenerate, "object 1 'cat': a box that is not finite: nan 2 3 4"},
      {Kind::degenerate, "object 2 'cat': a box that is not finite: inf 2 3 4"},
      {Kind::degenerate, "object 3 'cat': a box without area: 12 30 12 40"},
      {Kind::degenerate, "object 4 'cat': a box without area: 30 2 12 40"},
      {Kind::outside, "object 5 'cat': a box beside its picture of 64x48: 64 2 80 40"},
      {Kind::unreadable, "object 6: <xmin>: expected a number, got '1e999'"},
      {Kind::unreadable, "object 7: <ymin>: expected a number, got 'x'"},
      {Kind::unreadable, "object 8: <ymax>: expected a number, got ''"},
      {Kind::unreadable, "object 9: expected a <name> in UTF-8, got none"},
      {Kind::unreadable, "object 10: expected a <name> in UTF-8, got other bytes"},
      {Kind::unreadable, "object 11 'cat': it has no <bndbox>"},
      {Kind::degenerate, "object 12 'only': a box without area: 5 5 5 5"}};
  REQUIRE(data.faults.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK((data.faults[i].kind == expected[i].first && data.faults[i].file == t / "Annotations/tried.xml"));
    CHECK(data.faults[i].reason == expected[i].second);
  }
  const BoxData given = read_voc(t.path(), "", {"dog"});
  CHECK(given.classes == Names{"dog"});
  CHECK(given.faults.size() == expected.size() + 1);
  CHECK((given.faults.back().kind == Kind::unknown_class || given.faults.front().kind == Kind::unknown_class));
  CHECK(given.images[1].annotations[0].label == 0);
}

TEST_CASE("voc: a size that is none is said, and then not known") {
  for (const char* size : {"<width>0</width><height>0</height>", "<depth>3</depth>", "<width>-3</width><height>4</height>",
                           "<width>1e12</width><height>4</height>", "<width>nan</width><height>4</height>", "<width>x</width>"}) {
    const Tried t(annotation(object("cat", "500 500 600 600"), std::string("<size>") + size + "</size>"));
    const BoxData data = t.read();
    INFO(size);
    CHECK((data.images[1].size.empty() && data.images[1].annotations.size() == 1));
    CHECK(data.faults.size() == (std::string(size).find(">0<") == std::string::npos ? 1 : 0));
  }
}

TEST_CASE("voc: what is no such file is refused as a whole, however it attacks") {
  std::string laughs = "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY lol \"lol\">";
  for (int i = 1; i < 10; ++i) {
    laughs += "<!ENTITY lol" + std::to_string(i) + " \"";
    for (int k = 0; k < 10; ++k) laughs += "&lol" + (i > 1 ? std::to_string(i - 1) : "") + ";";
    laughs += "\">";
  }
  CHECK(contains(Tried(laughs + "]>" + annotation(object("&lol9;", "1 2 3 4"))).refused(), "a document type declaration"));
  std::string deep;
  for (int i = 0; i < 200000; ++i) deep += "<object>";
  CHECK(contains(Tried("<annotation>" + deep).refused(), "it is not XML"));
  for (int i = 0; i < 200000; ++i) deep += "</object>";
  CHECK(contains(Tried(annotation(deep)).refused(), "XML nested deeper than 32"));
  CHECK(contains(Tried(std::string("<annotation>\0</annotation>", 26)).refused(), "not a text file"));
  CHECK(contains(Tried("").refused(), "it is not XML: No document element found"));
  CHECK(contains(Tried("\x89PNG\r\n\x1a\n").refused(), "it is not XML"));
  CHECK(contains(Tried("<annotations/>").refused(), "expected the element <annotation>, got 'annotations'"));
  CHECK(contains(Tried("<annotation>" + std::string(9 << 20, ' ') + "</annotation>").refused(),
                 "too large for what it should hold"));
  std::string many;
  for (int i = 0; i < 1500; ++i) many += "<object/>";
  CHECK(contains(Tried(annotation(many)).refused(), "more than 1000 unreadable objects, the first: object 1"));
  const test::Folder only;
  put(only / "Annotations/a.xml", "<annotation>");
  CHECK(fails_with([&] { read_voc(only.path()); }, "no annotated picture can be read; the first reason: "));
  fs::create_directories(only / "Annotations/b.xml");
  REQUIRE(::mkfifo((only / "Annotations/c.xml").c_str(), 0600) == 0);  // nobody writes into it
  CHECK(fails_with([&] { read_voc(only.path()); }, "no annotated picture can be read"));
}

TEST_CASE("voc: an undefined entity stays as it is written") {
  const BoxData data = Tried(annotation(object("&lol; &lt;&#65;", "1 2 3 4"))).read();
  CHECK(data.classes == Names{"&lol; <A", "cat"});
}

TEST_CASE("voc: a file that ends anywhere is read or refused") {
  const std::string whole = "<?xml version=\"1.0\"?>\n" + annotation(object("cat", "1 2 3 4", "<difficult>1</difficult>"));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const Tried t(whole.substr(0, n));
    CHECK(t.read().bad.size() == 1);
  }
}

TEST_CASE("voc: writing and reading gives the same data, bit for bit") {
  const test::Folder f;
  Random random(3);
  BoxData data;
  data.classes = {"Käfer", "a <b> & \"c\" 'd'", "z", "猫 cat"};  // by bytes
  data.category_ids = {1, 2, 3, 4};
  for (std::int64_t i = 0; i < 20; ++i) {
    AnnotatedImage image{f / ("JPEGImages/picture " + std::to_string(100 + i) + ".png"), i + 1, {640, 480}, {}};
    put_picture(image.file, 8, 8);
    image.source = f / ("Annotations/picture " + std::to_string(100 + i) + ".xml");
    for (std::int64_t k = 0; k < i; ++k) {
      const double x = random.uniform() * 600 - 10, y = random.uniform() * 440;
      image.annotations.push_back(
          {{x, y, x + 20 * random.uniform() + 11, y + 1e-3 + random.uniform()}, random.below(4), k % 3 == 0});
    }
    data.images.push_back(std::move(image));
  }
  data.images[3].size = {};
  const BoxData half{data.classes, data.category_ids, {data.images.begin(), data.images.begin() + 10}};
  write_voc(f.path(), {{"all", data}, {"half", half}});
  const BoxData read = read_voc(f.path(), "all");
  CHECK((read.classes == data.classes && read.category_ids == data.category_ids && read.faults.empty() && read.bad.empty()));
  REQUIRE(read.images.size() == data.images.size());
  for (std::size_t i = 0; i < read.images.size(); ++i) {
    const AnnotatedImage &a = read.images[i], &b = data.images[i];
    CHECK((a.file == b.file && a.id == b.id && a.size == b.size && a.annotations == b.annotations && a.source == b.source));
  }
  CHECK(read_voc(f.path(), "half").images.size() == 10);

  const test::Folder to;  // pictures elsewhere are found by their path
  write_voc(to.path(), {{"", data}});
  const BoxData again = read_voc(to.path(), "all");
  REQUIRE(again.images.size() == data.images.size());
  for (std::size_t i = 0; i < again.images.size(); ++i)
    CHECK(
        (fs::equivalent(again.images[i].file, data.images[i].file) && again.images[i].annotations == data.images[i].annotations));
}

TEST_CASE("voc: what its files cannot hold is not written") {
  const test::Folder f;
  const auto refused = [&](const Names& classes, const std::vector<fs::path>& files, const std::string& message,
                           const std::string& part = "") {
    BoxData data{classes, {}, {}};
    for (const fs::path& file : files) data.images.push_back({file, 1, {4, 4}, {{{0, 0, 1, 1}, 0}}});
    return fails_with([&] { write_voc(f / "out", {{part, data}}); }, message) && !fs::exists(f / "out/ImageSets/all.txt");
  };
  CHECK(refused({""}, {"a.png"}, "cannot write the class ''"));
  CHECK(refused({" cat"}, {"a.png"}, "cannot write the class ' cat'"));
  CHECK(refused({"a\nb"}, {"a.png"}, "cannot write the class"));
  CHECK(refused({"\xE4"}, {"a.png"}, "cannot write the class"));
  CHECK(refused({"cat", "cat"}, {"a.png"}, "two classes are called 'cat'"));
  CHECK(refused({"cat"}, {"x/a.png", "y/a.jpg"}, "two pictures would share the annotations 'a': x/a.png and y/a.jpg"));
  CHECK(refused({"cat"}, {"a\nb.png"}, "expected the name of a picture"));
  CHECK(refused({}, {"a.png"}, "expected a label below 0, got 0"));
  for (const char* part : {"../x", "a/b", ".", "a\nb", " a"}) CHECK(refused({"cat"}, {"a.png"}, "expected a part's name", part));
}

TEST_CASE("voc: blood cells, two boxes of which are degenerate") {
  FOVEA_NEEDS_SHARED(folder, "data/bccd");
  const BoxData train = read_voc(folder, "train"), val = read_voc(folder, "val", train.classes);
  CHECK(train.classes == Names{"Platelets", "RBC", "WBC"});
  CHECK((train.images.size() == 205 && val.images.size() == 87 && train.bad.empty() && val.bad.empty()));
  REQUIRE((train.faults.size() == 1 && val.faults.size() == 1));
  CHECK(train.faults[0].reason == "object 4 'RBC': a box without area: 181 329 181 329");
  CHECK(val.faults[0].kind == Kind::degenerate);
  for (const AnnotatedImage& i : val.images) CHECK((fs::exists(i.file) && i.size == cv::Size(640, 480)));
}

TEST_CASE("fuzz: voc", "[fuzz]") {
  const test::Folder f;
  const std::string whole =
      "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n" +
      annotation(object("cat", "1 2 3 4", "<difficult>1</difficult>") + object("d&amp;g", "1.5 2 30 4"),
                 "<filename>a.jpg</filename><path>/x/a.jpg</path><size><width>64</width><height>48</height></size>");
  const auto valid = [](const BoxData& data) {
    for (const AnnotatedImage& i : data.images)
      for (const Annotation& a : i.annotations) CHECK((is_valid(a.box) && a.label < std::ssize(data.classes)));
  };
  CHECK(test::fuzz("voc", {whole}, [&](const std::string& text) {
          put(f / "Annotations/a.xml", text);
          valid(read_voc(f.path()));
        }) > 0);
  put(f / "Annotations/a.xml", whole);
  CHECK(test::fuzz("voc lists", {"a\n", "a.jpg\na\n"}, [&](const std::string& text) {
          put(f / "ImageSets/train.txt", text);
          valid(read_voc(f.path(), "train"));
        }) > 0);
}
