#include "pipeline/sources/inputs.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "modules/core/error.hpp"
#include "pipeline/sources/work_list.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/skip.hpp"

using namespace fovea;
namespace fs = std::filesystem;
using test::Folder;

namespace {

void touch(const fs::path& file) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << "x";
}

std::vector<Input> all(Inputs inputs) {
  std::vector<Input> list;
  while (auto input = inputs.next()) list.push_back(*input);
  return list;
}

std::vector<std::string> paths(const std::vector<Input>& inputs) {
  std::vector<std::string> names;
  for (const Input& input : inputs) names.push_back(input.problem.empty() ? input.relative.string() : "! " + input.problem);
  return names;
}

std::vector<std::string> walk(const std::vector<std::string>& arguments, const fs::path& out = "/nonexistent/out") {
  return paths(all(Inputs(arguments, out)));
}

using Names = std::vector<std::string>;

// A test may not run as root here: root reads everything.
bool permissions_matter() { return ::geteuid() != 0; }

}  // namespace

TEST_CASE("folders are walked in order and mirrored", "[pipeline]") {
  Folder dir;
  for (const char* name : {"b.png", "a.JPG", "notes.txt", "sub/deep/c.webp", "sub/b.tiff", ".hidden.png", ".git/d.png"})
    touch(dir / name);
  CHECK(walk({dir.path()}) == Names{"a.JPG", "b.png", "sub/b.tiff", "sub/deep/c.webp"});
  CHECK(walk({dir / "b.png", dir / "sub"}) == Names{"b.png", "b.tiff", "deep/c.webp"});
  CHECK(walk({dir / "notes.txt"}) == Names{"notes.txt"});  // named: tried, whatever it is called
  CHECK(walk({dir / "none.png"}) == Names{"! no such file or folder"});
  CHECK(walk({}).empty());
}

TEST_CASE("inputs can be walked again", "[pipeline]") {
  Folder dir;
  touch(dir / "a/x.png");
  touch(dir / "y.png");
  Inputs inputs({dir.path()}, "/nonexistent");
  CHECK(inputs.next()->relative == "a/x.png");
  inputs.rewind();
  CHECK(inputs.next()->relative == "a/x.png");
  CHECK(inputs.next()->relative == "y.png");
  CHECK_FALSE(inputs.next());
}

TEST_CASE("names are bytes", "[pipeline]") {
  Folder dir;
  const Names names{"Grüße & 'quotes'.png", "\xff\xfe not utf-8.png", "new\nline.png", "夜.png"};
  for (const std::string& name : names) touch(dir / name);
  Names found = walk({dir.path()});
  Names expected = names;
  std::sort(expected.begin(), expected.end());
  CHECK(found == expected);
}

TEST_CASE("patterns the shell left alone are expanded", "[pipeline]") {
  Folder dir;
  for (const char* name : {"p/1/a.png", "p/1/b.jpg", "p/2/a.png", "p/2/deep/a.png", "p/top.png", "p/[odd].png", "q/a.png"})
    touch(dir / name);
  CHECK(walk({dir / "p/*.png"}) == Names{"[odd].png", "top.png"});
  CHECK(walk({dir / "p/*/*.png"}) == Names{"1/a.png", "2/a.png"});
  CHECK(walk({dir / "p/**/a.png"}) == Names{"1/a.png", "2/a.png", "2/deep/a.png"});
  CHECK(walk({dir / "**/b.*"}) == Names{"p/1/b.jpg"});
  CHECK(walk({dir / "{p,q}/*/a.png"}) == Names{"p/1/a.png", "p/2/a.png"});
  CHECK(walk({dir / "p/{1,2/deep}/a.png"}) == Names{"1/a.png", "2/deep/a.png"});
  CHECK(walk({dir / "p/{top,top,t*}.png"}) == Names{"top.png"});  // once, however many alternatives match it
  CHECK(walk({dir / "p/[odd].png"}) == Names{"[odd].png"});       // a file of that very name
  CHECK(walk({dir / "p/*.webp"}).empty());
}

TEST_CASE("folders and patterns also give what they have to skip", "[pipeline]") {
  Folder dir;
  for (const char* name : {"a.png", "b.psd", "sub/c.exr"}) touch(dir / name);
  const Names found = walk({dir.path()});
  CHECK(found ==
        Names{"a.png", "! images with the extension .psd are not read", "! images with the extension .exr are not read"});
  const auto inputs = all(Inputs({dir / "*.psd"}, "/nonexistent"));
  REQUIRE(inputs.size() == 1);
  CHECK((inputs[0].fault == Fault::skipped && inputs[0].relative.empty() && inputs[0].source == (dir / "b.psd").string()));
  CHECK(walk({dir / "b.psd"}) == Names{"b.psd"});  // named: tried
  WorkList work(Inputs({dir.path()}, dir / "out"), dir / "out", "same");
  CHECK((work.count() == 1 && work.skipped() == 2 && work.first_skipped() == (dir / "b.psd").string()));
}

TEST_CASE("no pattern takes long or much memory", "[pipeline]") {
  Folder dir;
  touch(dir / "a.png");
  std::string doubling, deep;
  for (int i = 0; i < 40; ++i) doubling += "{a,b}", deep += "{a,";
  std::istringstream list(doubling + ".png\n" + deep + "b" + std::string(40, '}') + "\n" + std::string(300000, '*') + "\n" +
                          (dir / "*.png").string() + "\n");
  const Names found = paths(all(Inputs({"-"}, "/nonexistent", &list)));
  REQUIRE(found.size() == 3);  // the first matches nothing
  CHECK(found[0].find("nested deeper than") != std::string::npos);
  CHECK(found[1].find("expected a pattern of at most") != std::string::npos);
  CHECK(found[2] == "a.png");
}

TEST_CASE("a list of paths comes from a stream", "[pipeline]") {
  Folder dir;
  touch(dir / "x/a b.png");
  touch(dir / "y.png");
  std::istringstream lines((dir / "x/a b.png").string() + "\r\n\n" + (dir / "y.png").string());
  CHECK(paths(all(Inputs({"-"}, "/nonexistent", &lines))) == Names{"a b.png", "y.png"});
  std::istringstream nul((dir / "x/a b.png").string() + std::string(1, '\0') + "sub/new\nline.png" + std::string(1, '\0'));
  const auto found = all(Inputs({"-"}, "/nonexistent", &nul));
  REQUIRE(found.size() == 2);
  CHECK(found[1].relative == "sub/new\nline.png");  // a relative path keeps its folders
  CHECK(found[1].problem == "no such file or folder");
  std::istringstream again("a.png\n");
  CHECK_THROWS_AS(Inputs({"-", "-"}, "/nonexistent", &again), Error);
}

TEST_CASE("links are followed, but not round and round", "[pipeline]") {
  Folder dir;
  touch(dir / "real/a.png");
  fs::create_directory_symlink(dir.path(), dir / "real/up");
  fs::create_directory_symlink(dir / "real", dir / "alias");
  fs::create_symlink(dir / "nowhere.png", dir / "broken.png");
  CHECK(walk({dir.path()}) == Names{"alias/a.png", "broken.png", "real/a.png"});
}

TEST_CASE("special files in folders are left alone", "[pipeline]") {
  Folder dir;
  REQUIRE(::mkfifo((dir / "pipe.png").c_str(), 0600) == 0);  // reading it would wait for ever
  touch(dir / "a.png");
  CHECK(walk({dir.path()}) == Names{"a.png"});
}

TEST_CASE("outputs of this and former runs are not inputs", "[pipeline]") {
  Folder dir;
  for (const char* name : {"a.png", "out/a.png", "old/a.png", "sub/b.png"}) touch(dir / name);
  touch(dir / "old" / kLedgerName);
  CHECK(walk({dir.path()}, dir / "out") == Names{"a.png", "sub/b.png"});
  CHECK(walk({dir / "old"}, dir / "out") == Names{"a.png"});  // asked for by name
  CHECK_THROWS_WITH(walk({dir.path()}, dir.path()), Catch::Matchers::ContainsSubstring("the output folder is the input folder"));
}

TEST_CASE("a folder without permission is one line", "[pipeline]") {
  if (!permissions_matter()) SKIP_TEST("root may read every folder");
  Folder dir;
  touch(dir / "closed/a.png");
  touch(dir / "open/b.png");
  ::chmod((dir / "closed").c_str(), 0);
  const Names found = walk({dir.path()});
  ::chmod((dir / "closed").c_str(), 0700);
  CHECK(found == Names{"! cannot read the folder: Permission denied", "open/b.png"});
}

TEST_CASE("outputs are named by format", "[pipeline]") {
  CHECK(output_name("a/b.JPEG", "same") == "a/b.JPEG");
  CHECK(output_name("a/b.JPEG", "jpg") == "a/b.JPEG");
  CHECK(output_name("a/b.c.png", "jpg") == "a/b.c.jpg");
  CHECK(output_name("a/b", "same") == "a/b.png");
  CHECK(output_name("a/b.dat", "tif") == "a/b.dat.tif");
  CHECK(format_of("x.JPE") == "jpg");
  CHECK(format_of("x.tiff") == "tif");
}

TEST_CASE("two inputs for one output are refused, and both are named", "[pipeline]") {
  Folder dir;
  for (const char* name : {"a.jpg", "a.png", "A.png", "sub/a.jpg"}) touch(dir / name);
  const auto plan = [&](const Names& arguments, const std::string& format) {
    return WorkList(Inputs(arguments, dir / "out"), dir / "out", format);
  };
  CHECK(plan({dir.path()}, "same").count() == 4);
  CHECK_THROWS_WITH(plan({dir.path()}, "png"), Catch::Matchers::ContainsSubstring("a.jpg") &&
                                                   Catch::Matchers::ContainsSubstring("a.png") &&
                                                   Catch::Matchers::ContainsSubstring("one output"));
  CHECK_THROWS_WITH(plan({dir / "a.jpg", dir / "sub"}, "same"), Catch::Matchers::ContainsSubstring("sub/a.jpg"));
  CHECK_FALSE(fs::exists(dir / "out"));

  WorkList twice = plan({dir / "a.jpg", dir / "a.jpg", dir / "sub/../a.jpg"}, "same");
  CHECK(twice.count() == 1);
  CHECK(twice.next());
  CHECK_FALSE(twice.next());
}

TEST_CASE("an output never replaces an input", "[pipeline]") {
  Folder dir;
  touch(dir / "s/a.png");
  touch(dir / "s/s/a.png");
  CHECK_THROWS_WITH(WorkList(Inputs({dir / "s/a.png"}, dir / "s"), dir / "s", "same"),
                    Catch::Matchers::ContainsSubstring("would replace the input"));
  CHECK_THROWS_WITH(WorkList(Inputs({dir / "s"}, dir.path()), dir.path(), "same"),
                    Catch::Matchers::ContainsSubstring("would replace the input"));
}

TEST_CASE("inputs: videos and addresses where streams are taken, without passwords in names") {
  const Folder dir;
  for (const char* name : {"in/a.png", "in/deep/street.MP4", "in/b.txt", "in/c.mkv"}) touch(dir / name);
  const auto taken = all(Inputs({dir / "in", "rtsp://me:secret@camera:554/live?token=abc"}, "/nonexistent", nullptr, true));
  REQUIRE(taken.size() == 4);
  CHECK(paths(taken) == std::vector<std::string>{"a.png", "c.mkv", "deep/street.MP4", "rtsp-camera-554-live-token"});
  CHECK(!taken[0].stream);
  CHECK(taken[1].stream);
  CHECK(taken[2].stream);
  CHECK(taken[3].stream);
  CHECK(taken[3].address == "rtsp://me:secret@camera:554/live?token=abc");
  for (const std::string& shown : {taken[3].source, taken[3].file.string(), taken[3].relative.string()}) {
    CHECK(shown.find("secret") == std::string::npos);
    CHECK(shown.find("abc") == std::string::npos);
  }
  CHECK(walk({dir / "in"}) == std::vector<std::string>{"a.png"});
  CHECK(paths(all(Inputs({dir / "in/*.mkv"}, "/nonexistent", nullptr, true))) == std::vector<std::string>{"c.mkv"});
}
