#include "pipeline/live/v4l2_source.hpp"

#include <opencv2/imgproc.hpp>

#include "pipeline/live/mailbox.hpp"
#include "tests/pipeline/live/comes.hpp"
#include "tests/pipeline/live/fake_camera.hpp"
#include "tests/pipeline/live/jpegs.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using namespace std::chrono_literals;
using test::Buffer;
using test::FakeCamera;

namespace {

const std::atomic<bool> kNever{false};

std::unique_ptr<LiveSource> open(FakeCamera& camera, const CameraOptions& options = {}) { return v4l2_source(options, camera); }

std::string refusal(FakeCamera& camera, const CameraOptions& options = {}) {
  return test::message_of([&] { open(camera, options); });
}

Buffer shot(int value) { return test::plain_jpeg(32, 16, value); }
int value_of(const std::optional<LiveFrame>& frame) { return frame->image.at<cv::Vec3b>(8, 8)[1]; }

std::size_t open_descriptors() {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++n;
  return n;
}

}  // namespace

TEST_CASE("live camera: asks for motion JPEG, a size and a rate, and says what it got", "[pipeline]") {
  FakeCamera camera;
  {
    const auto source = open(camera, {.size = {640, 480}, .rate = 30});
    CHECK(camera.asked_formats == std::vector<std::uint32_t>{V4L2_PIX_FMT_MJPEG});
    CHECK((camera.asked_width == 640 && camera.asked_height == 480));
    CHECK((camera.asked_time.numerator == 1000 && camera.asked_time.denominator == 30000));
    CHECK(source->description() == "/dev/video0: MJPG 32x16 (asked for 640x480), 25 frames/s, Fake?");
    CHECK(source->can_reopen());
    CHECK((camera.streaming && camera.mapped == 4));
  }
  CHECK((!camera.opened && camera.mapped == 0));
  camera.knows_rates = false;
  CHECK(open(camera)->description() == "/dev/video0: MJPG 32x16, Fake?");
}

TEST_CASE("live camera: the newest of several pictures is given, and the lost ones are numbered", "[pipeline]") {
  FakeCamera camera;
  const auto source = open(camera);
  for (std::uint32_t i = 0; i < 3; ++i) camera.shots.push_back({shot(50 * static_cast<int>(i)), 7 + i});
  auto frame = source->next(kNever);
  CHECK((value_of(frame) == 100 && frame->number == 0 && frame->seconds == 0));
  camera.shots.push_back({shot(200), 12});
  frame = source->next(kNever);
  CHECK((value_of(frame) == 200 && frame->number == 3 && frame->seconds >= 0));
  // Over many, every buffer goes back to the driver.
  for (std::uint32_t i = 0; i < 50; ++i) {
    camera.shots.push_back({shot(60), 13 + i});
    CHECK(source->next(kNever)->number == 4 + i);
  }
}

TEST_CASE("live camera: YUYV and NV12 with padded rows", "[pipeline]") {
  FakeCamera camera;
  camera.formats = {V4L2_PIX_FMT_YUYV};
  camera.stride = 80;
  auto source = open(camera);
  CHECK_THAT(source->description(), Catch::Matchers::ContainsSubstring("YUYV 32x16"));
  Buffer yuyv(80 * 16);
  for (std::size_t i = 0; i < yuyv.size(); ++i) yuyv[i] = i % 2 ? 128 : 126;  // grey: (126 - 16) * 255 / 219
  camera.shots.push_back({yuyv, 0});
  auto frame = source->next(kNever);
  CHECK((frame->image.size() == cv::Size(32, 16) && std::abs(value_of(frame) - 128) <= 1));

  source.reset();
  camera.formats = {V4L2_PIX_FMT_NV12};
  camera.stride = 40;
  source = open(camera);
  CHECK_THAT(source->description(), Catch::Matchers::ContainsSubstring("NV12 32x16"));
  Buffer nv12(40 * 24, 128);
  std::fill_n(nv12.begin(), 40 * 16, std::uint8_t{235});
  camera.shots.push_back({nv12, 0});
  frame = source->next(kNever);
  CHECK((frame->image.size() == cv::Size(32, 16) && value_of(frame) == 255));
}

TEST_CASE("live camera: pictures that are damaged, empty or too short are passed over", "[pipeline]") {
  FakeCamera camera;
  const auto source = open(camera);
  Buffer cut = shot(10);
  cut.resize(cut.size() / 2);
  const std::vector<FakeCamera::Shot> bad{
      {cut, 1}, {{}, 2}, {shot(10), 3, V4L2_BUF_FLAG_ERROR}, {Buffer(100, 0xff), 4}, {shot(10), 5, 0, 20}};
  camera.shots.push_back({shot(30), 0});
  CHECK(source->next(kNever)->number == 0);
  for (const auto& one : bad) {
    std::atomic<bool> stop{false};
    camera.shots.push_back(one);
    std::thread stopper([&] { std::this_thread::sleep_for(120ms), stop = true; });
    CHECK(!source->next(stop));
    stopper.join();
  }
  camera.shots.push_back({shot(90), 6, 0, std::size_t{1} << 31});  // more than its memory
  const auto frame = source->next(kNever);
  CHECK((value_of(frame) == 90 && frame->number == 6));
  camera.formats = {V4L2_PIX_FMT_YUYV};
  const auto short_one = open(camera, {.longest_silence = 150ms});
  camera.shots.push_back({Buffer(32 * 2 * 16 - 1), 0});
  camera.announces_nothing = true;
  CHECK(test::fails_with([&] { short_one->next(kNever); }, "expected 1024 bytes for a picture of 32x16, got 1023"));
}

TEST_CASE("live camera: silence becomes an error, stopping does not wait for it", "[pipeline]") {
  FakeCamera camera;
  const auto source = open(camera, {.longest_silence = 300ms});
  std::atomic<bool> stop{false};
  std::thread stopper([&] { std::this_thread::sleep_for(50ms), stop = true; });
  auto began = LiveClock::now();
  CHECK(!source->next(stop));
  CHECK(LiveClock::now() - began < 1s);
  stopper.join();
  began = LiveClock::now();
  CHECK(test::fails_with([&] { source->next(kNever); },
                         "/dev/video0: expected a picture within 300 ms, got none (no picture came)"));
  CHECK(LiveClock::now() - began < 3s);
}

TEST_CASE("live camera: what cannot be opened says what to do", "[pipeline]") {
  const std::pair<int, const char*> reasons[] = {
      {ENOENT, "plug the camera in"},     {ENODEV, "plug it in again"}, {EACCES, "usermod -aG video"},
      {EBUSY, "another program uses it"}, {ENOSPC, "USB bus"},          {EIO, "cable"}};
  for (const auto& [error, text] : reasons) {
    for (const unsigned long request :
         {0UL, VIDIOC_QUERYCAP, VIDIOC_G_FMT, VIDIOC_S_FMT, VIDIOC_REQBUFS, VIDIOC_QUERYBUF, 2UL, VIDIOC_QBUF, VIDIOC_STREAMON}) {
      CAPTURE(error, request);
      FakeCamera camera;
      camera.errors[request] = error;
      const std::string message = refusal(camera);
      CHECK_THAT(message, Catch::Matchers::StartsWith("/dev/video0: ") && Catch::Matchers::ContainsSubstring(text));
      CHECK((!camera.opened && camera.mapped == 0));
    }
  }
}

TEST_CASE("live camera: devices that are no camera, or of formats that are not read", "[pipeline]") {
  FakeCamera camera;
  for (const int error : {ENOTTY, EINVAL}) {
    camera.errors[VIDIOC_QUERYCAP] = error;
    CHECK_THAT(refusal(camera), Catch::Matchers::ContainsSubstring("expected a camera, got something else"));
  }
  camera.errors.clear();
  camera.capabilities = V4L2_CAP_META_CAPTURE | V4L2_CAP_STREAMING;
  CHECK_THAT(refusal(camera), Catch::Matchers::ContainsSubstring("\"Fake?\" gives no pictures here"));
  camera.capabilities = V4L2_CAP_VIDEO_CAPTURE;
  CHECK_THAT(refusal(camera), Catch::Matchers::ContainsSubstring("expected a camera that streams"));
  camera = FakeCamera();
  camera.formats = {V4L2_PIX_FMT_H264, V4L2_PIX_FMT_RGB24};
  CHECK_THAT(refusal(camera), Catch::Matchers::ContainsSubstring("expected MJPG, YUYV or NV12, got") &&
                                  Catch::Matchers::ContainsSubstring("H264"));
  camera.formats = {};
  CHECK_THAT(refusal(camera), Catch::Matchers::ContainsSubstring("got none of them"));
  camera.formats = {V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_NV12};
  for (const std::uint32_t width : {0u, 1u, 100'000u, 0xffffffffu}) {  // what no driver should answer
    camera.width = width;
    CHECK_THAT(refusal(camera), Catch::Matchers::ContainsSubstring("expected MJPG"));
  }
  camera.width = 32;
  camera.buffers = 1;
  CHECK_THAT(refusal(camera), Catch::Matchers::ContainsSubstring("expected 2 buffers at least, got 1"));
  camera.buffers = 1000;  // more than asked for: only those are used
  CHECK(refusal(camera).empty());
  for (const CameraOptions& bad : {CameraOptions{.size = {-1, 5}}, CameraOptions{.size = {5, 0}},
                                   CameraOptions{.size = {20000, 5}}, CameraOptions{.rate = -1}, CameraOptions{.rate = 1e9}})
    CHECK(refusal(camera, bad).find("/dev/video0: expected a") == 0);
}

TEST_CASE("live camera: files and folders are no cameras, and nothing stays open", "[pipeline]") {
  test::Folder dir;
  const std::size_t before = open_descriptors();
  for (const char* device : {"/dev/null", "/dev/video-that-is-not-there", "/", "/proc/self/exe"}) {
    const std::string message = test::message_of([&] { v4l2_source({.device = device}); });
    CHECK_THAT(message, Catch::Matchers::StartsWith(std::string(device) + ": "));
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("live camera: one that is unplugged comes back, and its numbers go on", "[pipeline]") {
  FakeCamera camera;
  const auto source = open(camera);
  camera.shots.push_back({shot(40), 100});
  CHECK(source->next(kNever)->number == 0);
  camera.errors = {{VIDIOC_DQBUF, ENODEV}, {0, ENOENT}};
  CHECK(test::fails_with([&] { source->next(kNever); }, "/dev/video0: stopped: the camera is gone; plug it in again"));
  CHECK(test::fails_with([&] { source->reopen(); }, "plug the camera in"));
  CHECK(test::fails_with([&] { source->next(kNever); }, "could not be opened again"));
  CHECK((!camera.opened && camera.mapped == 0));
  camera.errors.clear();
  source->reopen();
  camera.shots.push_back({shot(80), 3});
  const auto frame = source->next(kNever);
  CHECK((value_of(frame) == 80 && frame->number == 1 && frame->seconds >= 0));
}

TEST_CASE("live camera: poll that fails, and one that promises pictures", "[pipeline]") {
  FakeCamera camera;
  const auto source = open(camera);
  camera.announces_nothing = true;
  std::atomic<bool> stop{false};
  std::thread stopper([&] { std::this_thread::sleep_for(100ms), stop = true; });
  CHECK(!source->next(stop));
  stopper.join();
  camera.errors[1] = ENOMEM;
  CHECK(test::fails_with([&] { source->next(kNever); }, "/dev/video0: stopped: "));
}

TEST_CASE("live camera: the mailbox opens it anew", "[pipeline]") {
  FakeCamera camera;
  camera.shots.push_back({shot(40), 0});
  auto source = open(camera);
  REQUIRE(source->next(kNever));
  camera.errors[VIDIOC_DQBUF] = EIO;
  LiveStatistics statistics;
  Mailbox mailbox(std::move(source), statistics, {300ms, 300ms});
  REQUIRE(test::comes([&] { return mailbox.status().state == LiveStatus::State::reconnecting; }));
  CHECK_THAT(mailbox.status().text,
             Catch::Matchers::ContainsSubstring("reconnecting in 1 s: /dev/video0: stopped: the camera or its cable"));
  camera.errors.clear();  // the mailbox sleeps
  camera.shots.push_back({shot(70), 0});
  const auto frame = mailbox.take(kNever);
  CHECK((value_of(frame) == 70 && frame->number == 1));
  CHECK(camera.openings == 2);
}
