// What is damaged, cut, no video at all, or made to do harm: an Error or the frames that are there.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "datasets/image.hpp"
#include "modules/io/files.hpp"
#include "tests/datasets/video/videos.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/fuzz.hpp"
#include "tests/support/skip.hpp"

using namespace fovea;
using namespace fovea::test;
namespace fs = std::filesystem;

namespace {

std::string reason_for(const fs::path& file, const VideoOptions& options = {}) {
  return message_of([&] { frames_of(file, options); });
}

// The frames and notes of bytes; none where they are refused.
struct Result {
  int frames = -1;
  bool says_cut = false;
};
Result read(const fs::path& file, const std::string& bytes) {
  put_bytes(file, bytes);
  Result out;
  try {
    VideoReader video(file.string());
    int frames = 0;
    while (video.next()) ++frames;
    out.frames = frames;
    for (const std::string& note : video.notes())
      out.says_cut = out.says_cut || note.find("ends in the middle") != std::string::npos;
  } catch (const Error&) { out.frames = -1; }
  return out;
}

std::string small_video(const Folder& folder, const Remux& how, const std::string& encoder = {}) {
  VideoWriterSettings settings = small_settings();
  settings.encoder = encoder;
  write_video(folder / "seed.mp4", settings, 12);
  remux(folder / "seed.mp4", folder / "seed", how);
  return bytes_of(folder / "seed");
}

}  // namespace

TEST_CASE("hostile video: what is no video is refused with its reason", "[datasets][video]") {
  const Folder folder;
  const auto is = [&](const std::string& name, const std::string& bytes, const std::string& reason) {
    put_bytes(folder / name, bytes);
    INFO(name);
    CHECK(reason_for(folder / name).find((folder / name).string() + ": " + reason) == 0);
  };
  is("empty.mp4", "", "the file is empty");
  is("text.mp4", "Dear reader,\nthis is no video.\n", "not a video");
  is("text.txt", std::string(100000, 'x'), "not a video");
  is("zeros.mkv", std::string(100000, '\0'), "not a video");
  const auto png = encode_image({moving_picture({40, 30}, 0), false, {}}, "png");
  is("a.png", std::string(png.begin(), png.end()), "not a video");
  CHECK(reason_for(folder / "none.mp4") == (folder / "none.mp4").string() + ": cannot read: no such file or folder");
  CHECK(reason_for(folder.path()).find("it is a folder, expected a file") != std::string::npos);
  CHECK(reason_for("/dev/null").find("it is a device or socket") != std::string::npos);
  CHECK(fails_with([] { VideoReader(""); }, "expected a name, got none"));
  CHECK(fails_with([] { VideoReader(std::string("a\0b", 3)); }, "null character"));
  CHECK(fails_with([] { VideoReader("ftp://u:secret@h/x"); }, "ftp://u:***@h/x: expected an address of rtsp"));
  CHECK(fails_with([] { VideoReader("file:///etc/passwd"); }, "expected an address of rtsp"));
  CHECK(fails_with([] { VideoReader("concat://a|b"); }, "expected an address of rtsp"));
  CHECK(fails_with([&] { VideoReader((folder / "text.txt").string(), {.timeout = 0}); }, "expected a time-out over 0"));
  try {
    VideoReader((folder / "none.mp4").string());
  } catch (const FileError& e) { CHECK(e.code == ENOENT); }
}

TEST_CASE("hostile video: a file without permission", "[datasets][video]") {
  if (::geteuid() == 0) SKIP_TEST("root may read every file");
  const Folder folder;
  put_bytes(folder / "a.mp4", "x");
  ::chmod((folder / "a.mp4").c_str(), 0);
  CHECK(reason_for(folder / "a.mp4").find("a.mp4: cannot read: Permission denied") != std::string::npos);
}

TEST_CASE("hostile video: names that FFmpeg would take for something else", "[datasets][video]") {
  const Folder folder;
  write_video(folder / "v.mp4", small_settings(), 4);
  for (const char* name : {"frame%03d.mp4", "concat:a.mp4", "a,b:c.mp4", "-.mp4", "http:x.mp4"}) {
    INFO(name);
    fs::copy_file(folder / "v.mp4", folder / name);
    CHECK(frames_of(folder / name).size() == 4);
  }
}

TEST_CASE("hostile video: a file leads to no other file or network", "[datasets][video]") {
  const Folder folder;
  write_video(folder / "v.mp4", small_settings(), 4);
  remux(folder / "v.mp4", folder / "v.ts", {.container = "mpegts"});
  const std::string secret = (folder / "v.ts").string(), video = (folder / "v.mp4").string();
  const std::pair<const char*, std::string> scripts[] = {
      {"a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n"},
      {"b.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://" + secret + "\n#EXT-X-ENDLIST\n"},
      {"c.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nv.ts\n#EXT-X-ENDLIST\n"},
      {"d.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n"},
      {"e.ffconcat", "ffconcat version 1.0\nfile '/etc/passwd'\n"},
      {"f.txt", "ffconcat version 1.0\nfile '" + video + "'\n"},
      {"g.sdp", "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 9998 RTP/AVP 26\r\n"},
      {"h.mpd",
       "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\"><Period><AdaptationSet>"
       "<Representation id=\"1\"><BaseURL>" +
           video + "</BaseURL></Representation></AdaptationSet></Period></MPD>"},
  };
  for (const auto& [name, text] : scripts) {
    put_bytes(folder / name, text);
    const std::string reason = reason_for(folder / name);
    INFO(name << ": " << reason);
    CHECK(reason.find(": not a video") != std::string::npos);
    CHECK(reason.find("root:") == std::string::npos);
  }
}

TEST_CASE("hostile video: no video stream", "[datasets][video]") {
  const Folder folder;
  write_video(folder / "v.mp4", small_settings(), 2);
  remux(folder / "v.mp4", folder / "s.mkv", {.container = "matroska", .sound = AV_CODEC_ID_PCM_S16LE});
  // The video's track becomes one of subtitles.
  std::string bytes = bytes_of(folder / "s.mkv");
  const std::string video("\x83\x81\x01", 3), subtitle("\x83\x81\x11", 3);
  const std::size_t at = bytes.find(video);
  REQUIRE(at != std::string::npos);
  put_bytes(folder / "s.mkv", bytes.replace(at, 3, subtitle));
  CHECK(reason_for(folder / "s.mkv").find("s.mkv: no video stream in it") != std::string::npos);
  // A codec that nobody knows.
  bytes = bytes_of(folder / "v.mp4");
  const std::size_t codec = bytes.find("avc1", bytes.find("stsd"));
  REQUIRE(codec != std::string::npos);
  put_bytes(folder / "c.mp4", bytes.replace(codec, 4, "zzz9"));
  CHECK(reason_for(folder / "c.mp4").find("c.mp4: ") != std::string::npos);
}

TEST_CASE("hostile video: sizes beyond the limit", "[datasets][video]") {
  const Folder folder;
  write_video(folder / "v.mp4", small_settings(), 4);
  // The header says what the pictures do not.
  remux(folder / "v.mp4", folder / "s.mp4", {.size = {20000, 20000}});
  CHECK(frames_of(folder / "s.mp4").at(0).image.size() == cv::Size(96, 64));
  CHECK(reason_for(folder / "v.mp4", {.most_pixels = 96 * 64 - 1}).find("too large: 96x64, at most 6143 pixels") !=
        std::string::npos);
  CHECK(frames_of(folder / "v.mp4", {.most_pixels = 96 * 64}).size() == 4);
  // Pictures whose own header claims 65500 x 65500.
  const auto jpeg = encode_image({moving_picture({64, 48}, 1), false, {}}, "jpg");
  std::string bytes(jpeg.begin(), jpeg.end());
  const std::size_t frame = bytes.find("\xff\xc0");
  REQUIRE(frame != std::string::npos);
  bytes.replace(frame + 5, 4, "\xff\xdc\xff\xdc");
  put_bytes(folder / "j.mjpeg", bytes + bytes + bytes);
  const std::string reason = reason_for(folder / "j.mjpeg");
  INFO(reason);
  CHECK(reason.find("j.mjpeg: ") != std::string::npos);
}

TEST_CASE("hostile video: cut anywhere, the frames before are there", "[datasets][video]") {
  const Folder folder;
  write_video(folder / "v.mp4", small_settings(), 25);
  remux(folder / "v.mp4", folder / "v.mkv", {.container = "matroska", .sound = AV_CODEC_ID_PCM_S16LE});
  remux(folder / "v.mp4", folder / "v.ts", {.container = "mpegts"});
  put_bytes(folder / "v.avi", small_video(folder, {.container = "avi"}, "mpeg4"));
  for (const char* name : {"v.mp4", "v.mkv", "v.ts", "v.avi"}) {
    const std::string bytes = bytes_of(folder / name);
    const int all = name == std::string("v.avi") ? 12 : 25;
    REQUIRE(read(folder / "cut", bytes).frames == all);
    CHECK_FALSE(read(folder / "cut", bytes).says_cut);
    int most = -1, readable = 0;
    for (std::size_t i = 0; i < 100; ++i) {
      const std::size_t length = bytes.size() * i / 100;
      const Result result = read(folder / "cut", bytes.substr(0, length));
      INFO(name << " cut to " << length << " of " << bytes.size() << ": " << result.frames);
      CHECK(result.frames >= std::min(most, all - 1));
      CHECK(result.frames <= all);
      most = std::max(most, result.frames);
      readable += result.frames > 0;
      // Transport streams do not tell their length, and what says that of AVI's is exact to half a second.
      const bool tells = name == std::string("v.mp4") || name == std::string("v.mkv");
      if (tells && result.frames > 0) CHECK(result.says_cut);
    }
    INFO(name);
    CHECK(readable > 50);
  }
}

TEST_CASE("hostile video: changed bytes", "[datasets][video]") {
  const Folder folder;
  const std::pair<const char*, std::string> videos[] = {
      {"mp4", small_video(folder, {})},
      {"matroska", small_video(folder, {.container = "matroska"})},
      {"mpegts", small_video(folder, {.container = "mpegts"})},
      {"avi", small_video(folder, {.container = "avi"}, "mpeg4")},
  };
  std::mt19937 random(3);
  for (const auto& [name, bytes] : videos) {
    int readable = 0;
    for (int i = 0; i < 60; ++i) {
      std::string changed = bytes;
      for (int k = 0; k < 5; ++k) changed[random() % changed.size()] = static_cast<char>(random());
      const Result result = read(folder / "changed", changed);
      if (result.frames > 24) FAIL_CHECK(name << ": " << result.frames << " frames of 12");
      readable += result.frames > 0;
    }
    INFO(name);
    CHECK(readable > 0);
  }
}

TEST_CASE("fuzz: videos", "[fuzz][datasets][video]") {
  const Folder folder;
  const fs::path file = folder / "v";
  const auto decode = [&](const std::string& bytes) {
    put_bytes(file, bytes);
    VideoReader video(file.string(), {.most_pixels = 1 << 20});
    for (int k = 0; k < 60 && video.next(); ++k) {}
    video.notes();
  };
  CHECK(fuzz("mp4", {small_video(folder, {.sound = AV_CODEC_ID_AAC}), small_video(folder, {.container = "mov"})}, decode) > 0);
  CHECK(fuzz("matroska", {small_video(folder, {.container = "matroska", .sound = AV_CODEC_ID_PCM_S16LE})}, decode) > 0);
  fuzz("mpegts, avi", {small_video(folder, {.container = "mpegts"}), small_video(folder, {.container = "avi"}, "mpeg4")}, decode);
}

TEST_CASE("fuzz: audio that is copied", "[fuzz][datasets][video]") {
  const Folder folder;
  const fs::path file = folder / "v";
  const auto copy = [&](const std::string& bytes) {
    put_bytes(file, bytes);
    VideoWriterSettings settings = small_settings();
    settings.audio_from = file;
    VideoWriter out(folder / "o.mp4", settings);
    for (int k = 0; k < 3; ++k) out.write(moving_picture({96, 64}, k), 10 * k);
    out.finish();
  };
  CHECK(fuzz("mp4", {small_video(folder, {.sound = AV_CODEC_ID_AAC})}, copy) > 0);
  fuzz("mpegts", {small_video(folder, {.container = "mpegts", .sound = AV_CODEC_ID_AAC})}, copy);
}
