#include "datasets/video/writer.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "modules/io/files.hpp"
#include "tests/datasets/video/videos.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using namespace fovea::test;
namespace fs = std::filesystem;

namespace {

std::vector<std::vector<std::uint8_t>> payloads(const std::vector<RawPacket>& packets) {
  std::vector<std::vector<std::uint8_t>> out;
  for (const RawPacket& p : packets) out.push_back(p.bytes);
  return out;
}

// Writes the video again with its sound.
std::vector<std::string> written_again(const fs::path& from, const fs::path& to, bool whole = true, int most = 1000) {
  VideoReader video(from.string());
  VideoWriterSettings settings = small_settings();
  settings.size = video.facts().size;
  settings.time_base = video.facts().time_base;
  settings.audio_from = from;
  VideoWriter out(to, settings);
  for (int k = 0; k < most; ++k) {
    const auto frame = video.next();
    if (!frame) break;
    out.write(frame->image, frame->pts, frame->duration);
  }
  out.finish(whole);
  return out.notes();
}

}  // namespace

TEST_CASE("video writer: frames come back with their pictures and times", "[datasets][video]") {
  const Folder folder;
  for (const char* name : {"a.mp4", "a.MKV"}) {
    INFO(name);
    write_video(folder / name, small_settings(), 30);
    const std::vector<VideoFrame> frames = frames_of(folder / name);
    REQUIRE(frames.size() == 30);
    for (int k = 0; k < 30; ++k) {
      const VideoFrame& f = frames[static_cast<std::size_t>(k)];
      CHECK(psnr(f.image, moving_picture({96, 64}, k)) > 32);
      CHECK(f.seconds == Approx(0.1 * k).margin(1e-9));
    }
    const VideoFacts facts = VideoReader((folder / name).string()).facts();
    CHECK(facts.size == cv::Size(96, 64));
    CHECK(facts.codec == "h264");
    CHECK(facts.frame_rate == Approx(10));
    CHECK(facts.seconds == Approx(3));
    CHECK_FALSE(facts.has_audio);
    CHECK(facts.has_times);
  }
  CHECK(folder.entries() == 2);
}

TEST_CASE("video writer: a variable rate is kept to the tick", "[datasets][video]") {
  const Folder folder;
  const Stamps stamps = [](int k) { return std::int64_t{1001} * k + (k % 3 == 1 ? 377 : 0) + (k > 10 ? 90000 : 0); };
  for (const TimeBase base : {TimeBase{1, 30000}, TimeBase{1, 90000}, TimeBase{1, 1'000'000}, TimeBase{1001, 30000}}) {
    INFO(base.numerator << "/" << base.denominator);
    VideoWriterSettings settings = small_settings();
    settings.time_base = base;
    settings.frame_rate = 0;
    write_video(folder / "v.mp4", settings, 20, stamps);
    VideoReader video((folder / "v.mp4").string());
    const TimeBase read = video.facts().time_base;
    for (int k = 0; k < 20; ++k) {
      const auto frame = video.next();
      REQUIRE(frame);
      // The same moment, in whole numbers: ticks of the one base and of the other.
      CHECK(frame->pts * read.numerator * base.denominator == stamps(k) * base.numerator * read.denominator);
    }
    CHECK_FALSE(video.next());
  }
  VideoWriterSettings settings = small_settings();
  settings.time_base = {1, 30000};
  write_video(folder / "v.mkv", settings, 20, stamps);
  const std::vector<VideoFrame> frames = frames_of(folder / "v.mkv");
  REQUIRE(frames.size() == 20);
  for (int k = 0; k < 20; ++k)
    CHECK(frames[static_cast<std::size_t>(k)].seconds == Approx(static_cast<double>(stamps(k)) / 30000).margin(0.00051));
}

TEST_CASE("video writer: a video may begin at any time, but not before 0", "[datasets][video]") {
  const Folder folder;
  for (const char* name : {"v.mp4", "v.mkv"}) {
    for (const std::int64_t begin : {-70, 0, 1234}) {
      INFO(name << " " << begin);
      write_video(folder / name, small_settings(), 8, [&](int k) { return begin + 10 * k; });
      const std::vector<VideoFrame> frames = frames_of(folder / name);
      REQUIRE(frames.size() == 8);
      CHECK(frames[0].seconds == Approx(0.01 * static_cast<double>(std::max<std::int64_t>(begin, 0))).margin(1e-6));
      CHECK(frames[7].seconds - frames[0].seconds == Approx(0.7).margin(1e-6));
    }
  }
  // The sound goes along.
  write_video(folder / "v.mp4", small_settings(), 12);
  remux(folder / "v.mp4", folder / "s.mp4", {.sound = AV_CODEC_ID_AAC});
  VideoWriterSettings settings = small_settings();
  settings.audio_from = folder / "s.mp4";
  VideoWriter out(folder / "moved.mkv", settings);
  for (int k = 0; k < 12; ++k) out.write(moving_picture({96, 64}, k), 10 * k - 50);
  out.finish();
  const std::vector<RawPacket> was = packets_of(folder / "s.mp4", AVMEDIA_TYPE_AUDIO);
  const std::vector<RawPacket> is = packets_of(folder / "moved.mkv", AVMEDIA_TYPE_AUDIO);
  CHECK(is.size() == was.size());
  CHECK(is.at(9).seconds == Approx(was.at(9).seconds + 0.5).margin(0.0021));
}

TEST_CASE("video writer: odd sides grow by a copy of the last pixels", "[datasets][video]") {
  const Folder folder;
  for (const cv::Size size : {cv::Size(97, 63), cv::Size(33, 64), cv::Size(64, 33), cv::Size(1, 1)}) {
    INFO(size.width << "x" << size.height);
    VideoWriterSettings settings = small_settings();
    settings.size = size;
    VideoWriter out(folder / "o.mp4", settings);
    for (int k = 0; k < 4; ++k) out.write(moving_picture(size, k), k);
    out.finish();
    CHECK(out.notes().size() == 1);
    const std::vector<VideoFrame> frames = frames_of(folder / "o.mp4");
    REQUIRE(frames.size() == 4);
    CHECK(frames[0].image.size() == cv::Size((size.width + 1) / 2 * 2, (size.height + 1) / 2 * 2));
    CHECK(psnr(frames[3].image(cv::Rect({0, 0}, size)).clone(), moving_picture(size, 3)) > 28);
    if (size.width % 2) CHECK(cv::norm(frames[0].image.col(size.width), frames[0].image.col(size.width - 1), cv::NORM_INF) < 24);
  }
}

TEST_CASE("video writer: colours are those of the tags, by the formula", "[datasets][video]") {
  const Folder folder;
  struct Case {
    cv::Size size;
    AVColorSpace space;
    int y, u, v;  // of pure red, in the limited range
  };
  for (const Case& c : {Case{{64, 48}, AVCOL_SPC_SMPTE170M, 81, 90, 240}, Case{{64, 720}, AVCOL_SPC_BT709, 63, 102, 240}}) {
    VideoWriterSettings settings = small_settings();
    settings.size = c.size;
    settings.crf = 1;
    VideoWriter out(folder / "c.mp4", settings);
    for (int k = 0; k < 3; ++k) out.write(cv::Mat(c.size, CV_8UC3, cv::Scalar(0, 0, 255)), k);
    out.finish();
    const RawFrame raw = first_frame_of(folder / "c.mp4");
    INFO(raw.y << " " << raw.u << " " << raw.v);
    CHECK((std::abs(raw.y - c.y) <= 1 && std::abs(raw.u - c.u) <= 1 && std::abs(raw.v - c.v) <= 1));
    CHECK(raw.space == c.space);
    CHECK(raw.range == AVCOL_RANGE_MPEG);
    const cv::Mat image = frames_of(folder / "c.mp4").at(0).image;
    CHECK(cv::norm(image, cv::Mat(c.size, CV_8UC3, cv::Scalar(0, 0, 255)), cv::NORM_INF) <= 3);
  }
}

TEST_CASE("video writer: audio is copied byte by byte", "[datasets][video]") {
  const Folder folder;
  write_video(folder / "v.mp4", small_settings(), 12);
  remux(folder / "v.mp4", folder / "aac.mp4", {.sound = AV_CODEC_ID_AAC});
  remux(folder / "v.mp4", folder / "pcm.mkv", {.container = "matroska", .sound = AV_CODEC_ID_PCM_S16LE});
  remux(folder / "v.mp4", folder / "aac.ts", {.container = "mpegts", .sound = AV_CODEC_ID_AAC});
  for (const auto& [from, to] : {std::pair("aac.mp4", "1.mp4"), {"aac.mp4", "1.mkv"}, {"pcm.mkv", "2.mkv"}}) {
    INFO(from << " to " << to);
    CHECK(VideoReader((folder / from).string()).facts().has_audio);
    CHECK(written_again(folder / from, folder / to).empty());
    const std::vector<RawPacket> was = packets_of(folder / from, AVMEDIA_TYPE_AUDIO);
    const std::vector<RawPacket> is = packets_of(folder / to, AVMEDIA_TYPE_AUDIO);
    REQUIRE(was.size() > 40);
    CHECK(payloads(is) == payloads(was));
    // Sound and pictures keep their distance; Matroska moves both, and rounds.
    const double apart = is[20].seconds - frames_of(folder / to).at(5).seconds;
    CHECK(apart == Approx(was[20].seconds - frames_of(folder / from).at(5).seconds).margin(0.0021));
  }
  // The frames of a transport stream carry headers of their own; only these go.
  CHECK(written_again(folder / "aac.ts", folder / "3.mp4").empty());
  const std::vector<RawPacket> was = packets_of(folder / "aac.ts", AVMEDIA_TYPE_AUDIO);
  const std::vector<RawPacket> is = packets_of(folder / "3.mp4", AVMEDIA_TYPE_AUDIO);
  REQUIRE(is.size() == was.size());
  constexpr std::ptrdiff_t kHeader = 7;
  for (std::size_t i = 0; i < is.size(); ++i)
    CHECK(is[i].bytes == std::vector<std::uint8_t>(was[i].bytes.begin() + kHeader, was[i].bytes.end()));
}

TEST_CASE("video writer: audio that a container does not take is left out and said", "[datasets][video]") {
  const Folder folder;
  write_video(folder / "v.mp4", small_settings(), 12);
  remux(folder / "v.mp4", folder / "pcm.mkv", {.container = "matroska", .sound = AV_CODEC_ID_PCM_S16LE});
  CHECK(written_again(folder / "pcm.mkv", folder / "p.mp4") ==
        std::vector<std::string>{"audio stream 1 is left out: mp4 takes no pcm_s16le"});
  CHECK(packets_of(folder / "p.mp4", AVMEDIA_TYPE_AUDIO).empty());
  CHECK(written_again(folder / "v.mp4", folder / "silent.mp4").empty());
}

TEST_CASE("video writer: audio and pictures are interleaved, and end together where that is asked", "[datasets][video]") {
  const Folder folder;
  write_video(folder / "v.mp4", small_settings(), 12);
  remux(folder / "v.mp4", folder / "s.mp4", {.sound = AV_CODEC_ID_AAC});
  written_again(folder / "s.mp4", folder / "short.mp4", false, 4);
  const std::vector<RawPacket> sound = packets_of(folder / "short.mp4", AVMEDIA_TYPE_AUDIO);
  REQUIRE_FALSE(sound.empty());
  CHECK(sound.back().seconds <= 0.4);
  CHECK(sound.back().seconds > 0.35);
  CHECK(frames_of(folder / "short.mp4").size() == 4);
  written_again(folder / "s.mp4", folder / "i.mkv");
  // In a file that is read from front to back, no stream runs half a second ahead of the other.
  const std::string bytes = bytes_of(folder / "i.mkv");
  put_bytes(folder / "half.mkv", bytes.substr(0, bytes.size() / 2));
  CHECK(packets_of(folder / "half.mkv", AVMEDIA_TYPE_AUDIO).size() > 5);
  CHECK(packets_of(folder / "half.mkv", AVMEDIA_TYPE_VIDEO).size() > 2);
}

TEST_CASE("video writer: MPEG-4 where there is no x264", "[datasets][video]") {
  const Folder folder;
  VideoWriterSettings settings = small_settings();
  settings.encoder = "mpeg4";
  settings.time_base = {1, 90000};
  VideoWriter out(folder / "m.mp4", settings);
  for (int k = 0; k < 10; ++k) out.write(moving_picture(settings.size, k), 9000 * k + (k == 3));
  out.finish();
  CHECK(out.notes() == std::vector<std::string>{"written as MPEG-4 Part 2"});
  const std::vector<VideoFrame> frames = frames_of(folder / "m.mp4");
  REQUIRE(frames.size() == 10);
  CHECK(psnr(frames[9].image, moving_picture(settings.size, 9)) > 30);
  CHECK(frames[9].seconds == Approx(0.9));
}

TEST_CASE("video writer: under its name a file is whole or as it was", "[datasets][video]") {
  const Folder folder;
  const fs::path file = folder / "v.mp4";
  put_bytes(file, "what was there");
  ::chmod(file.c_str(), 0640);
  {
    VideoWriter out(file, small_settings());
    out.write(moving_picture({96, 64}, 0), 0);
  }
  CHECK(bytes_of(file) == "what was there");
  CHECK(folder.entries() == 1);
  fs::create_symlink(file, folder / "link.mp4");
  write_video(folder / "link.mp4", small_settings(), 3);
  CHECK(fs::is_symlink(folder / "link.mp4"));
  CHECK(frames_of(file).size() == 3);
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0640);
  CHECK(folder.entries() == 2);
  // The index lies in front: playing can begin before all is there.
  const std::string bytes = bytes_of(file);
  CHECK(bytes.find("moov") < bytes.find("mdat"));
}

TEST_CASE("video writer: what cannot be is refused with its reason", "[datasets][video]") {
  const Folder folder;
  const auto refuses = [&](const std::string& name, VideoWriterSettings settings, const std::string& text) {
    INFO(text);
    CHECK(fails_with([&] { VideoWriter(folder / name, settings); }, text));
  };
  const VideoWriterSettings good = small_settings();
  const auto with = [&](const auto& change) {
    VideoWriterSettings s = good;
    change(s);
    return s;
  };
  refuses("a.avi", good, "expected the name of a video, ending in .mp4 or .mkv");
  refuses("a", good, "ending in .mp4 or .mkv");
  refuses("none/a.mp4", good, "cannot write: no such file or folder");
  refuses("a.mp4", with([](auto& s) { s.size = {}; }), "got 0x0");
  refuses("a.mp4", with([](auto& s) { s.size = {20000, 10}; }), "got 20000x10");
  refuses("a.mp4", with([](auto& s) { s.crf = 52; }), "expected a crf of 0 to 51, got 52");
  refuses("a.mp4", with([](auto& s) { s.preset = "fastest"; }), "expected a preset of x264, ultrafast to veryslow, got fastest");
  refuses("a.mp4", with([](auto& s) { s.encoder = "av1"; }), "expected the encoder libx264 or mpeg4");
  refuses("a.mp4", with([](auto& s) { s.time_base = {0, 1}; }), "expected a time base over 0, got 0/1");
  refuses("a.mp4", with([](auto& s) { s.frame_rate = -1; }), "expected a frame rate");
  refuses("a.mp4", with([](auto& s) { s.threads = 0; }), "expected 1 thread or more");
  refuses("a.mp4", with([&](auto& s) { s.audio_from = folder / "none.mp4"; }), "none.mp4: cannot read: no such file or folder");
  fs::create_directory(folder / "d.mp4");
  refuses("d.mp4", good, "it is a folder or device");
  VideoWriter out(folder / "a.mp4", good);
  CHECK(fails_with([&] { out.finish(); }, "a video without a frame"));
  CHECK(fails_with([&] { out.write(cv::Mat(64, 97, CV_8UC3), 0); }, "expected a frame of 96x64 in 8-bit BGR, got 97x64"));
  CHECK(fails_with([&] { out.write(cv::Mat(64, 96, CV_8UC1), 0); }, "got 96x64 of another kind"));
  out.write(moving_picture({96, 64}, 0), 5);
  CHECK(fails_with([&] { out.write(moving_picture({96, 64}, 0), 5); }, "expected a time stamp over 5, got 5"));
  CHECK(fails_with([&] { out.write(moving_picture({96, 64}, 0), INT64_MAX); }, "within 2^52 ticks"));
  CHECK(fails_with([&] { out.write(moving_picture({96, 64}, 0), INT64_MIN); }, "within 2^52 ticks"));
  out.finish();
  CHECK(fails_with([&] { out.write(moving_picture({96, 64}, 0), 6); }, "the video is finished"));
  CHECK(frames_of(folder / "a.mp4").size() == 1);
  CHECK(folder.entries() == 2);
}

TEST_CASE("video writer: a full disk is the machine's fault, and leaves nothing", "[datasets][video]") {
  const Folder folder;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit low{20000, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &low) == 0);
  int code = 0;
  std::string message;
  try {
    VideoWriterSettings settings = small_settings();
    settings.crf = 0;
    write_video(folder / "v.mp4", settings, 100);
  } catch (const FileError& e) { code = e.code, message = e.what(); }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(code == EFBIG);
  CHECK(message.find("v.mp4: cannot write: File too large") != std::string::npos);
  CHECK(folder.entries() == 0);
}
