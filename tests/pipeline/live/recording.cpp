#include "pipeline/live/recording.hpp"

#include "modules/io/files.hpp"
#include "pipeline/errors.hpp"
#include "tests/datasets/video/videos.hpp"
#include "tests/pipeline/live/comes.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using namespace std::chrono_literals;

namespace {

void record(Recording& recording, const cv::Mat& picture, double seconds) {
  const LiveFrame frame{picture, LiveClock::now(), 0, seconds};
  recording.show({frame, {}, picture});
  std::this_thread::sleep_for(2ms);  // as a camera would
}

}  // namespace

TEST_CASE("live recording: pictures at their times, the first at 0", "[pipeline]") {
  const test::Folder folder;
  Recording recording(folder / "seen.mp4");
  CHECK(recording.wants_picture());
  CHECK(folder.entries() == 0);
  for (const double seconds : {5.0, 5.1, 5.4, 5.4, 5.2, 6.0}) record(recording, test::moving_picture({64, 48}, 1), seconds);
  recording.finish();
  CHECK(recording.files() == std::vector{folder / "seen.mp4"});
  const auto frames = test::frames_of(folder / "seen.mp4");
  REQUIRE(frames.size() + static_cast<std::size_t>(recording.dropped()) == 6);
  if (recording.dropped() > 0) return;
  const double expected[] = {0, 0.1, 0.4, 0.4, 0.4, 1.0};  // a clock that goes back does not
  for (std::size_t i = 0; i < 6; ++i) CHECK(frames[i].seconds == Approx(expected[i]).margin(0.001));
}

TEST_CASE("live recording: a new size begins a new file", "[pipeline]") {
  const test::Folder folder;
  Recording recording(folder / "seen.mkv");
  for (const cv::Size size : {cv::Size(64, 48), cv::Size(32, 80), cv::Size(64, 48)})
    for (int i = 0; i < 2; ++i) record(recording, test::moving_picture(size, i), i);
  recording.finish();
  CHECK(recording.files() == std::vector{folder / "seen.mkv", folder / "seen-2.mkv", folder / "seen-3.mkv"});
  CHECK(test::frames_of(folder / "seen-2.mkv").front().image.size() == cv::Size(32, 80));
}

TEST_CASE("live recording: without an end nothing takes its name", "[pipeline]") {
  const test::Folder folder;
  {
    Recording recording(folder / "seen.mp4");
    record(recording, test::moving_picture({64, 48}, 1), 0);
  }
  CHECK(folder.entries() == 0);
  Recording empty(folder / "seen.mp4");
  empty.finish();
  CHECK((empty.files().empty() && folder.entries() == 0));
}

TEST_CASE("live recording: a full disk leaves a whole file", "[pipeline]") {
  const test::Folder folder;
  int asked = 0;
  Recording recording(folder / "seen.mp4", [&](const std::filesystem::path& of) {
    return of == folder.path() && ++asked <= 3 ? std::uintmax_t{1} << 30 : 1000;
  });
  for (int i = 0; i < 3; ++i) record(recording, test::moving_picture({64, 48}, i), 0.1 * i);
  record(recording, test::moving_picture({64, 48}, 3), 0.3);
  CHECK(test::fails_with([&] { recording.finish(); }, "the disk is full; what was recorded until then is whole"));
  CHECK_THROWS_AS(record(recording, test::moving_picture({64, 48}, 4), 0.4), EnvironmentError);
  CHECK(recording.files() == std::vector{folder / "seen.mp4"});
  CHECK(test::frames_of(folder / "seen.mp4").size() == 3);
}

TEST_CASE("live recording: what cannot be written is known at once", "[pipeline]") {
  const test::Folder folder;
  CHECK_THROWS_AS(Recording(folder / "no" / "seen.mp4"), FileError);
  CHECK(test::fails_with([&] { Recording(folder / "seen.avi"); }, "ending in .mp4 or .mkv"));
}
