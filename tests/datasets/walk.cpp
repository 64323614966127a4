#include "datasets/walk.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <new>

#include "datasets/image.hpp"
#include "datasets/photos.hpp"
#include "modules/core/memory.hpp"
#include "modules/io/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/skip.hpp"

using namespace fovea;
using test::fails_with;
namespace fs = std::filesystem;

namespace {

void touch(const fs::path& file) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << "x";
}

using Names = std::vector<std::string>;

Names below(const test::Folder& root, const std::vector<fs::path>& files) {
  Names names;
  for (const fs::path& f : files) names.push_back(f.lexically_relative(root.path()).string());
  return names;
}

}  // namespace

TEST_CASE("walk: what in a folder is data, for everybody who reads one") {
  const test::Folder root, elsewhere;
  for (const char* name : {"a.png", "sub/b.JPG", ".ipynb_checkpoints/a.png", "sub/.git/c.png", "._a.png", "notes.txt",
                           "old/c.png", "x.gif.part", "sub/photo.exr", "scan.PSD"})
    touch(root / name);
  touch(root / "old" / kLedgerName);
  touch(elsewhere / "linked.png");
  fs::create_directory_symlink(elsewhere.path(), root / "sub/more");
  fs::create_directory_symlink(root.path(), root / "sub/up");
  REQUIRE(::mkfifo((root / "pipe.png").c_str(), 0600) == 0);
  const FolderImages found = images_below(root.path());
  CHECK(below(root, found.files) == Names{"a.png", "sub/b.JPG", "sub/more/linked.png"});
  REQUIRE(found.left_out.size() == 2);
  for (const BadFile& b : found.left_out) CHECK(b.fault == Fault::skipped);
  CHECK(found.left_out[0].reason == (root / "scan.PSD").string() + ": images with the extension .psd are not read");
  CHECK(found.left_out[1].file == root / "sub/photo.exr");
  CHECK(below(root, entries_of(root.path())) == Names{"a.png", "notes.txt", "old", "pipe.png", "scan.PSD", "sub", "x.gif.part"});
  CHECK(fails_with([&] { images_below(root / "none"); }, "none: expected a folder of images"));
  CHECK(fails_with([&] { entries_of(root / "none"); }, "cannot read the folder"));
}

TEST_CASE("walk: what people call an image is more than what is read") {
  for (const char* name :
       {"a.png", "a.GIF", "a.heic", "a.Avif", "a.jp2", "a.ico", "a.tga", "a.ppm", "a.jxl", "a.exr", "a.cr2", "a.dcm"})
    CHECK(is_image_like(name));
  for (const char* name : {"a", "a.", ".gif", "a.txt", "a.gif.part", "a.json", "a.mp4", "a.safetensors"})
    CHECK_FALSE(is_image_like(name));
}

TEST_CASE("walk: a folder without permission is listed, its neighbours are read") {
  if (::geteuid() == 0) SKIP_TEST("root may read every folder");
  const test::Folder root;
  touch(root / "closed/a.png");
  touch(root / "open/b.png");
  ::chmod((root / "closed").c_str(), 0);
  const FolderImages found = images_below(root.path());
  ::chmod((root / "closed").c_str(), 0700);
  CHECK(below(root, found.files) == Names{"open/b.png"});
  REQUIRE(found.left_out.size() == 1);
  CHECK((found.left_out[0].fault == Fault::bad && found.left_out[0].file == root / "closed"));
}

TEST_CASE("bad files: what passes is thrown on, what is the file's fault is listed") {
  const auto listed = [](const auto& thrown) {
    try {
      throw thrown;
    } catch (const std::exception& e) { return bad_file("x.png", e).reason; }
  };
  CHECK(listed(Error("damaged")) == "damaged");
  CHECK(listed(FileError("denied", EACCES)) == "denied");
  CHECK_THROWS_AS(listed(FileError("broken disk", EIO)), FileError);
  CHECK_THROWS_AS(listed(FileError("descriptors", EMFILE)), FileError);
  CHECK_THROWS_AS(listed(memory::OutOfMemory("refused")), memory::OutOfMemory);
  CHECK_THROWS_AS(listed(std::bad_alloc()), std::bad_alloc);
  CHECK_THROWS_AS(listed(cv::Exception(cv::Error::StsNoMem, "", "", "", 1)), cv::Exception);
  CHECK(listed(cv::Exception(cv::Error::StsBadArg, "bad size", "", "", 1)).find("bad size") != std::string::npos);
}

TEST_CASE("walk: scans are taken by extension, and nameless ones by their first bytes") {
  const test::Folder root;
  for (const char* name : {"a.dcm", "b.IMA", "c.nii", "d.nii.gz", "e.tar.gz", "f.txt", "README", "g.png", "1.2.840.99"})
    touch(root / name);
  for (const char* name : {"IM000001", "sub/1.2.840.113619"}) {
    touch(root / name);
    std::ofstream(root / name) << std::string(128, '\0') << "DICM";
  }
  const auto walked = [&](bool scans) {
    Names names;
    Walk walk(root.path(), {.scans = scans}, std::nullopt);
    while (const auto entry = walk.next()) names.push_back(entry->relative.string() + (entry->problem.empty() ? "" : " skipped"));
    return names;
  };
  CHECK(walked(true) == Names{"IM000001", "a.dcm", "b.IMA", "c.nii", "d.nii.gz", "g.png", "sub/1.2.840.113619"});
  CHECK(walked(false) == Names{"a.dcm skipped", "g.png"});
}
