#include "pipeline/live/open_source.hpp"

#include "pipeline/errors.hpp"
#include "tests/pipeline/live/jpegs.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;

namespace {

void refuses(const SourceChoice& choice, const std::string& message) {
  CAPTURE(choice.source, message);
  CHECK_THROWS_AS(open_source(choice), UsageError);
  CHECK_THAT(test::message_of([&] { open_source(choice); }), Catch::Matchers::ContainsSubstring(message));
}

}  // namespace

TEST_CASE("live source: what a text says", "[pipeline]") {
  const test::Folder folder;
  const test::Buffer jpeg = test::plain_jpeg(16, 16, 9);
  write_file_atomically(folder / "a.jpg", jpeg.data(), jpeg.size());
  CHECK(open_source({.source = folder.path().string()})->description() == folder.path().string() + ": 1 pictures, 10 pictures/s");
  const SourceChoice looped{.source = folder.path().string(), .rate = 3, .loop = true};
  CHECK(open_source(looped)->description() == folder.path().string() + ": 1 pictures, 3 pictures/s, looped");
  const auto error = [](const SourceChoice& choice) { return test::message_of([&] { open_source(choice); }); };
  CHECK_THAT(error({.source = (folder / "missing.mp4").string()}), Catch::Matchers::ContainsSubstring("missing.mp4"));
  CHECK_THAT(error({.source = "/dev/null"}), Catch::Matchers::ContainsSubstring("/dev/null"));
  CHECK_THAT(error({.source = "", .device = 250}), Catch::Matchers::ContainsSubstring("/dev/video250"));
}

TEST_CASE("live source: options of other kinds are refused, without passwords", "[pipeline]") {
  const test::Folder folder;
  const std::string here = folder.path().string(), address = "rtsp://me:secret@camera/1";
  refuses({.source = here, .device = 1}, "got both");
  refuses({.source = here, .size = "640x480"}, "--size is for cameras; the source is a folder");
  refuses({.source = here, .raw = "640x480"}, "--raw is for standard input (-); the source is a folder");
  refuses({.source = "-", .rate = 5}, "--rate is for cameras and folders; the source is standard input");
  refuses({.source = "-", .loop = true}, "--loop is for video files and folders");
  refuses({.source = address, .rate = 5}, "the source is an address");
  CHECK(test::message_of([&] { open_source({.source = address, .device = 2}); }).find("secret") == std::string::npos);
}

TEST_CASE("live source: sizes", "[pipeline]") {
  CHECK(parse_size("640x480", "--raw") == cv::Size(640, 480));
  CHECK(parse_size("1x16384", "--raw") == cv::Size(1, 16384));
  for (const char* bad : {"", "x", "640", "640x", "x480", "640X480", "0x480", "640x-1", "640x480x3", " 640x480", "640x480 ",
                          "16385x1", "99999999999x1", "1e3x5"})
    CHECK(test::fails_with([&] { parse_size(bad, "--raw"); }, "--raw: expected WIDTHxHEIGHT"));
}
