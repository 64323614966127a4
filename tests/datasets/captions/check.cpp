#include "datasets/captions/check.hpp"

#include <fstream>
#include <opencv2/imgproc.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/images.hpp"
#include "tests/support/write_png.hpp"

using namespace fovea;
namespace fs = std::filesystem;

namespace {

// Blots, by which pictures are told apart.
cv::Mat scene(std::uint64_t seed) {
  cv::Mat large;
  cv::resize(test::noise(9, 7, CV_8UC3, seed), large, {160, 120}, 0, 0, cv::INTER_CUBIC);
  return large;
}

void put(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

bool found(const CaptionsCheck& check, Severity severity, const std::string& kind, const std::string& part,
           const std::string& text) {
  return std::any_of(check.findings.begin(), check.findings.end(), [&](const Finding& f) {
    return f.severity == severity && f.kind == kind && f.part == part && f.text.find(text) != std::string::npos;
  });
}

}  // namespace

TEST_CASE("captions check: counts of each part, and each kind of finding") {
  const test::Folder f;
  for (const char* name : {"a", "b", "c"}) test::write_png(f / "images" / (std::string(name) + ".png"), scene(name[0]));
  test::write_png(f / "images/d.png", scene('a') + cv::Scalar::all(8));  // nearly a.png
  put(f / "images/e.png", "no picture");
  put(f / "captions.txt",
      "a.png#0\tA dog\na.png#1\ta DOG .\nb.png#0\tA cat\nd.png#0\tTwo dogs run\ne.png#0\tA cat\nz.png#0\tA cow\nrubbish\n");
  put(f / "train.txt", "a.png\nb.png\nc.png\n");
  put(f / "dev.txt", "d.png\ne.png\n");
  const CaptionsCheck check = check_captions({{"", read_captioned(f.path())}});
  REQUIRE(check.parts.size() == 2);
  const CaptionsCheck::Part &train = check.parts[0], &dev = check.parts[1];
  CHECK((train.name == "train" && train.pictures == 2 && train.captions == 3 && train.fewest == 1 && train.most == 2));
  CHECK((train.words == 2 && train.vocabulary == 3 && dev.name == "dev" && dev.words == 2.5));
  CHECK(found(check, Severity::error, "unreadable caption", "", "captions.txt:7"));
  CHECK(found(check, Severity::error, "no captions", "", "'c.png'"));
  CHECK(found(check, Severity::error, "missing file", "", "'z.png'"));
  CHECK(found(check, Severity::error, "unreadable file", "dev", "e.png"));
  CHECK(found(check, Severity::warning, "repeated caption", "train", "'a DOG .' is there twice"));
  CHECK(found(check, Severity::warning, "near duplicate", "dev", "a.png in 'train'"));
  CHECK(check.findings.size() == 6);
}

TEST_CASE("captions check: clean sources, a part each") {
  const test::Folder f;
  for (const char* name : {"a", "b"}) {
    test::write_png(f / (std::string(name) + ".png"), scene(name[0]));
    put(f / (std::string(name) + ".txt"), std::string(name) + ".png#0\tA dog\n");
  }
  const CaptionsCheck check = check_captions({{"one", read_captioned(f / "a.txt")}, {"two", read_captioned(f / "b.txt")}});
  CHECK((check.findings.empty() && check.parts.size() == 2 && check.parts[1].name == "two"));
  CHECK(check_captions({{"", read_captioned(f / "a.txt")}}).parts[0].name == "all");
}
