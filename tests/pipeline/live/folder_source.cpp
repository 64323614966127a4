#include "pipeline/live/folder_source.hpp"

#include <thread>

#include "datasets/image.hpp"
#include "modules/io/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/images.hpp"

using namespace fovea;
using namespace std::chrono_literals;

namespace {

const std::atomic<bool> kNever{false};

void write(const std::filesystem::path& file, const cv::Mat& pixels) {
  Image image;
  image.pixels = pixels;
  const auto bytes = encode_image(image, "png");
  write_file_atomically(file, bytes.data(), bytes.size());
}

void write_text(const std::filesystem::path& file, const std::string& text) {
  write_file_atomically(file, text.data(), text.size());
}

}  // namespace

TEST_CASE("live folder: pictures in order, at the rate, as 8-bit BGR, once", "[pipeline]") {
  test::Folder dir;
  write(dir / "c.png", test::noise(9, 8, CV_16UC3));
  write(dir / "a.png", test::noise(5, 4, CV_8UC3));
  write(dir / "b.png", test::noise(7, 6, CV_8UC1));
  write_text(dir / "notes.txt", "no picture");
  const auto began = LiveClock::now();  // before the source, whose first picture is due at once
  const auto source = folder_source(dir.path(), {.rate = 25});
  CHECK_THAT(source->description(), Catch::Matchers::ContainsSubstring("3 pictures, 25 pictures/s"));
  for (int i = 0; i < 3; ++i) {
    const auto frame = source->next(kNever);
    REQUIRE(frame);
    CHECK(frame->image.type() == CV_8UC3);
    CHECK(frame->image.cols == 5 + 2 * i);
    CHECK(frame->number == i);
    CHECK(frame->seconds == Approx(i / 25.0));
  }
  CHECK(LiveClock::now() - began >= 80ms);
  CHECK(!source->next(kNever));
  CHECK(!source->next(kNever));
  CHECK(!source->can_reopen());
}

TEST_CASE("live folder: loops, and passes over what cannot be read", "[pipeline]") {
  test::Folder dir;
  write(dir / "a.png", test::noise(5, 4, CV_8UC3));
  write_text(dir / "b.png", "damaged");
  const auto source = folder_source(dir.path(), {.rate = 1000, .loop = true});
  for (int i = 0; i < 4; ++i) CHECK(source->next(kNever)->number == 2 * i);
  std::filesystem::remove(dir / "a.png");
  CHECK(test::fails_with([&] { source->next(kNever); }, "none of its 2 pictures can be read"));
}

TEST_CASE("live folder: stops while it waits for the next turn", "[pipeline]") {
  test::Folder dir;
  write(dir / "a.png", test::noise(5, 4, CV_8UC3));
  const auto source = folder_source(dir.path(), {.rate = 0.01, .loop = true});
  REQUIRE(source->next(kNever));
  std::atomic<bool> stop{false};
  std::thread stopper([&] { std::this_thread::sleep_for(50ms), stop = true; });
  const auto began = LiveClock::now();
  CHECK(!source->next(stop));
  CHECK(LiveClock::now() - began < 10s);
  stopper.join();
}

TEST_CASE("live folder: refuses what is none, holds nothing, or has no rate", "[pipeline]") {
  test::Folder dir;
  CHECK(test::fails_with([&] { folder_source(dir.path()); }, "expected pictures"));
  CHECK(test::message_of([&] { folder_source(dir / "missing"); }) != "");
  write(dir / "a.png", test::noise(5, 4, CV_8UC3));
  for (const double rate : {0.0, -1.0, 1e9, std::numeric_limits<double>::quiet_NaN()})
    CHECK(test::fails_with([&] { folder_source(dir.path(), {.rate = rate}); }, "expected a rate"));
}
