#include "datasets/video/reader.hpp"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "datasets/image.hpp"
#include "datasets/video/timing.hpp"
#include "modules/core/resident.hpp"
#include "tests/datasets/video/videos.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;
using namespace fovea::test;
namespace fs = std::filesystem;

namespace {

constexpr std::int32_t kOne = 1 << 16, kUnit = 1 << 30;

bool has_note(const std::vector<std::string>& notes, const std::string& text) {
  for (const std::string& note : notes)
    if (note.find(text) != std::string::npos) return true;
  return false;
}

// The notes at the end.
std::vector<std::string> notes_of(const fs::path& file, std::size_t* count = nullptr) {
  VideoReader video(file.string());
  std::size_t frames = 0;
  while (video.decode()) ++frames;
  if (count) *count = frames;
  return video.notes();
}

// The lines that a program prints; none where it is not installed.
std::vector<std::string> lines_of(const std::string& command) {
  std::vector<std::string> out;
  std::FILE* pipe = ::popen((command + " 2>/dev/null").c_str(), "r");
  if (!pipe) return out;
  std::array<char, 4096> line{};
  while (std::fgets(line.data(), line.size(), pipe)) {
    out.emplace_back(line.data());
    out.back().erase(out.back().find_last_not_of("\r\n,") + 1);
  }
  ::pclose(pipe);
  return out;
}

}  // namespace

TEST_CASE("video reader: pictures are turned as the file says", "[datasets][video]") {
  const Folder folder;
  write_video(folder / "v.mp4", small_settings(), 6);
  const cv::Mat plain = frames_of(folder / "v.mp4").at(2).image;
  struct Case {
    std::array<std::int32_t, 9> matrix;
    int rotation;
    bool mirrored;
    int code;  // of cv::rotate
  };
  const Case cases[] = {
      {{0, kOne, 0, -kOne, 0, 0, 0, 0, kUnit}, 90, false, cv::ROTATE_90_CLOCKWISE},
      {{-kOne, 0, 0, 0, -kOne, 0, 0, 0, kUnit}, 180, false, cv::ROTATE_180},
      {{0, -kOne, 0, kOne, 0, 0, 0, 0, kUnit}, 270, false, cv::ROTATE_90_COUNTERCLOCKWISE},
      {{-kOne, 0, 0, 0, kOne, 0, 0, 0, kUnit}, 0, true, -1},
      {{0, kOne, 0, kOne, 0, 0, 0, 0, kUnit}, 270, true, cv::ROTATE_90_COUNTERCLOCKWISE},
  };
  for (const Case& c : cases) {
    INFO(c.rotation << (c.mirrored ? " mirrored" : ""));
    remux(folder / "v.mp4", folder / "t.mp4", {.matrix = c.matrix});
    VideoReader video((folder / "t.mp4").string());
    CHECK(video.facts().rotation == c.rotation);
    CHECK(video.facts().mirrored == c.mirrored);
    cv::Mat expected = plain.clone();
    if (c.mirrored) cv::flip(plain, expected, 1);
    if (c.code >= 0) cv::rotate(expected.clone(), expected, c.code);
    CHECK(video.facts().size == expected.size());
    video.decode();
    video.decode();
    const auto frame = video.next();
    REQUIRE(frame);
    REQUIRE(frame->image.size() == expected.size());
    CHECK(cv::norm(frame->image, expected, cv::NORM_INF) == 0);
  }
  // By 30 degrees: not at all, and said so.
  remux(folder / "v.mp4", folder / "t.mp4", {.matrix = {{56756, 32768, 0, -32768, 56756, 0, 0, 0, kUnit}}});
  CHECK(has_note(notes_of(folder / "t.mp4"), "no multiple of 90 degrees"));
  remux(folder / "v.mp4", folder / "t.mp4", {.matrix = {{0, 0, 0, 0, 0, 0, 0, 0, 0}}});
  CHECK(frames_of(folder / "t.mp4").at(2).image.size() == plain.size());
}

TEST_CASE("video reader: JPEG's full range, at any size", "[datasets][video]") {
  const Folder folder;
  for (const cv::Size size : {cv::Size(64, 48), cv::Size(37, 21), cv::Size(1, 1), cv::Size(200, 131)}) {
    INFO(size.width << "x" << size.height);
    std::string bytes;
    cv::Mat first;
    for (int k = 0; k < 3; ++k) {
      const auto jpeg = encode_image({moving_picture(size, k), false, {}}, "jpg", {.jpeg_quality = 95});
      if (k == 0) first = decode_image(jpeg, "x").pixels;
      bytes.append(jpeg.begin(), jpeg.end());
    }
    put_bytes(folder / "v.mjpeg", bytes);
    const std::vector<VideoFrame> frames = frames_of(folder / "v.mjpeg");
    REQUIRE(frames.size() == 3);
    CHECK(psnr(frames[0].image, first) > 38);
    const cv::Scalar a = cv::mean(frames[0].image), b = cv::mean(first);
    for (int c = 0; c < 3; ++c) CHECK(std::abs(a[c] - b[c]) < 0.6);
    CHECK_FALSE(VideoReader((folder / "v.mjpeg").string()).facts().has_times);
  }
}

TEST_CASE("video reader: pictures own their memory", "[datasets][video]") {
  const Folder folder;
  write_video(folder / "v.mp4", small_settings(), 5);
  VideoReader video((folder / "v.mp4").string());
  const auto first = video.next();
  const cv::Mat copy = first->image.clone();
  while (video.next()) {}
  CHECK(cv::norm(first->image, copy, cv::NORM_INF) == 0);
  CHECK_FALSE(video.next());
  CHECK(fails_with([&] { video.image(); }, "v.mp4: no frame to make a picture of"));
}

TEST_CASE("video reader: frames of another size on the way come at their own", "[datasets][video]") {
  const Folder folder;
  std::string bytes;
  for (const cv::Size size : {cv::Size(64, 48), cv::Size(64, 48), cv::Size(50, 90)}) {
    const auto jpeg = encode_image({moving_picture(size, 1), false, {}}, "jpg");
    bytes.append(jpeg.begin(), jpeg.end());
  }
  put_bytes(folder / "v.mjpeg", bytes);
  const std::vector<VideoFrame> frames = frames_of(folder / "v.mjpeg");
  REQUIRE(frames.size() == 3);
  CHECK(frames[1].image.size() == cv::Size(64, 48));
  CHECK(frames[2].image.size() == cv::Size(50, 90));
  CHECK(has_note(notes_of(folder / "v.mjpeg"), "the size of the frames changes"));
}

TEST_CASE("video reader: damaged packets are left out and counted", "[datasets][video]") {
  const Folder folder;
  write_video(folder / "v.mp4", small_settings(), 30);
  // No frame begins in nonsense.
  const auto spoil = [](AVPacket& p, int k) {
    if (k == 10 || k == 11) std::fill(p.data, p.data + p.size, std::uint8_t{0xff});
  };
  remux(folder / "v.mp4", folder / "d.mp4", {.change = spoil});
  std::size_t count = 0;
  const std::vector<std::string> notes = notes_of(folder / "d.mp4", &count);
  CHECK(count == 28);
  REQUIRE_FALSE(notes.empty());
  CHECK(notes[0].starts_with("2 packets were damaged and left out"));
  remux(folder / "v.mp4", folder / "d.mp4",
        {.change = [](AVPacket& p, int) { std::fill(p.data, p.data + p.size, std::uint8_t{0xff}); }});
  CHECK(fails_with([&] { frames_of(folder / "d.mp4"); }, "d.mp4: damaged: none of its 30 packets can be decoded"));
}

TEST_CASE("video reader: threads change nothing", "[datasets][video]") {
  const Folder folder;
  write_video(folder / "v.mp4", small_settings(), 20);
  const std::vector<VideoFrame> one = frames_of(folder / "v.mp4"), three = frames_of(folder / "v.mp4", {.threads = 3});
  REQUIRE(one.size() == three.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    CHECK(one[i].pts == three[i].pts);
    CHECK(cv::norm(one[i].image, three[i].image, cv::NORM_INF) == 0);
  }
}

TEST_CASE("video reader: a flag stops it", "[datasets][video]") {
  const Folder folder;
  write_video(folder / "v.mp4", small_settings(), 20);
  std::atomic<bool> stop{false};
  VideoReader video((folder / "v.mp4").string(), {.stop = &stop});
  CHECK(video.next());
  stop = true;
  CHECK_FALSE(video.next());
  CHECK(fails_with([&] { VideoReader((folder / "v.mp4").string(), {.stop = &stop}); }, "stopped before it was open"));
  stop = false;
  VideoReader other((folder / "v.mp4").string());
  CHECK(other.next(&stop));
  stop = true;
  CHECK_FALSE(other.next(&stop));
  stop = false;
  CHECK_FALSE(other.next(&stop));
}

TEST_CASE("video reader: durations reach to the next frame", "[datasets][video]") {
  const Folder folder;
  write_video(folder / "v.mp4", small_settings(), 10, [](int k) { return std::int64_t{10} * k + (k > 4 ? 200 : 0); });
  const std::vector<VideoFrame> frames = frames_of(folder / "v.mp4");
  REQUIRE(frames.size() == 10);
  for (std::size_t i = 0; i + 1 < frames.size(); ++i) CHECK(frames[i].duration == frames[i + 1].pts - frames[i].pts);
  CHECK(frames[9].duration == frames[8].duration);
}

TEST_CASE("video reader: shared videos, frame by frame as ffprobe lists them", "[datasets][video]") {
  FOVEA_NEEDS_SHARED(videos, "data/video");
  for (const auto& [name, count, size] :
       {std::tuple("bikes.mp4", 250, cv::Size(640, 272)), {"bottle-detection.mp4", 1189, cv::Size(640, 360)}}) {
    INFO(name);
    VideoReader video((videos / name).string());
    CHECK(video.facts().size == size);
    CHECK(video.facts().frames == count);
    std::vector<std::int64_t> stamps;
    while (const auto frame = video.decode()) stamps.push_back(frame->pts);
    CHECK(stamps.size() == static_cast<std::size_t>(count));
    CHECK(video.notes().empty());
    const std::vector<std::string> lines = lines_of(
        "ffprobe -v error -select_streams v:0 -show_entries frame=best_effort_timestamp "
        "-of csv=p=0 '" +
        (videos / name).string() + "'");
    if (lines.empty()) continue;
    std::vector<std::int64_t> expected;
    for (const std::string& line : lines)
      if (!line.empty()) expected.push_back(std::stoll(line));
    CHECK(stamps == expected);
  }
}

TEST_CASE("video reader: memory does not grow with what is read", "[datasets][video][slow]") {
  const Folder folder;
  VideoWriterSettings settings = small_settings();
  settings.size = {480, 360};
  write_video(folder / "v.mp4", settings, 40);
  double after_three = 0;
  for (int pass = 0; pass < 10; ++pass) {
    CHECK(frames_of(folder / "v.mp4").size() == 40);
    write_video(folder / "w.mp4", settings, 5);
    if (pass == 2) after_three = resident_memory_mb();
  }
  CHECK(resident_memory_mb() < after_three + 8);  // a pass holds 20 MB of pictures
}

TEST_CASE("video timing: stamps only grow", "[datasets][video]") {
  Timing t(1000, 40);
  CHECK(t.place(-80, 40) == -80);  // a clock may begin anywhere
  CHECK(t.place(-40, 0) == -40);
  CHECK(t.place({}, 0) == 0);  // by the step
  CHECK(t.place(10, 30) == 10);
  CHECK(t.place({}, 0) == 40);  // by the duration of the frame before
  CHECK(t.place(35, 0) == 41);  // a little backwards
  CHECK(t.place(41, 0) == 42);
  CHECK(t.place(90, 0) == 90);
  CHECK(t.place(5000, 40) == 5000);
  CHECK(t.place(0, 40) == 5040);  // begins anew
  CHECK(t.place(40, 40) == 5080);
  CHECK(t.place(5000, 40) == 10040);
  CHECK(t.notes() == std::vector<std::string>{"2 frames have no time stamp: placed by the frame rate",
                                              "2 time stamps run backwards: moved up to the frame before",
                                              "the clock begins anew 1 time: it goes on as if it did not"});
}

TEST_CASE("video timing: no stamp overflows", "[datasets][video]") {
  for (const std::int64_t second : {std::int64_t{0}, std::int64_t{1}, INT64_MAX}) {
    Timing t(second, second);
    std::int64_t last = INT64_MIN;
    for (int i = 0; i < 1000; ++i)
      for (const std::int64_t stamp :
           {INT64_MIN, INT64_MAX, std::int64_t{0}, (std::int64_t{1} << 61) - 1, -(std::int64_t{1} << 61) + 1})
        for (const std::int64_t duration : {INT64_MIN, INT64_MAX, std::int64_t{1}}) {
          const std::int64_t at = t.place(stamp, duration);
          if (at < last) FAIL_CHECK(at << " after " << last);
          last = at;
        }
  }
}
