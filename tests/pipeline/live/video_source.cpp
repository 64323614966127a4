#include "pipeline/live/video_source.hpp"

#include <thread>

#include "datasets/image.hpp"
#include "tests/datasets/video/videos.hpp"
#include "tests/pipeline/live/video_servers.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using namespace fovea::test;
namespace fs = std::filesystem;

namespace {

double since(LiveClock::time_point start) { return std::chrono::duration<double>(LiveClock::now() - start).count(); }

// 20 frames a second.
fs::path make_video(const Folder& folder, int count) {
  write_video(folder / "v.mp4", small_settings(), count, [](int k) { return std::int64_t{5} * k; });
  return folder / "v.mp4";
}

std::string jpeg(int k) {
  const auto bytes = encode_image({moving_picture({96, 64}, k), false, {}}, "jpg");
  return {bytes.begin(), bytes.end()};
}

void send_mjpeg(VideoClient& connection, int count, double pause) {
  connection.request();
  connection.send(mjpeg_header());
  for (int k = 0; k < count && connection.send(mjpeg_part(jpeg(k))); ++k) connection.wait(pause);
}

const std::atomic<bool> kGo{false};

}  // namespace

TEST_CASE("video source: a file plays at its pace", "[pipeline][live]") {
  const Folder folder;
  VideoSource source(make_video(folder, 12).string());
  CHECK(source.description() == (folder / "v.mp4").string() + ": h264 96x64, 20 frames/s, 0.6 s");
  CHECK_FALSE(source.can_reopen());
  CHECK(fails_with([&] { source.reopen(); }, "v.mp4: a video file is not opened again"));
  const auto start = LiveClock::now();
  std::vector<LiveFrame> frames;
  while (auto frame = source.next(kGo)) {
    CHECK(frame->captured <= LiveClock::now());
    frames.push_back(std::move(*frame));
  }
  const double taken = since(start);
  CHECK(taken > 0.5);
  // A busy machine may lose frames, but never shows them early or twice.
  REQUIRE(frames.size() > 1);
  for (std::size_t i = 1; i < frames.size(); ++i) {
    CHECK(frames[i].number > frames[i - 1].number);
    CHECK(frames[i].seconds == Approx(0.05 * static_cast<double>(frames[i].number)).margin(1e-6));
    const double apart = std::chrono::duration<double>(frames[i].captured - frames[0].captured).count();
    CHECK(apart >= frames[i].seconds - 1e-6);
    CHECK(psnr(frames[i].image, moving_picture({96, 64}, static_cast<int>(frames[i].number))) > 30);
  }
}

TEST_CASE("video source: who is late gets the frame whose time it is", "[pipeline][live]") {
  const Folder folder;
  VideoSource source(make_video(folder, 30).string());
  const auto first = source.next(kGo);
  REQUIRE(first);
  CHECK(first->number == 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(520));
  const auto second = source.next(kGo);
  REQUIRE(second);
  CHECK(second->number >= 10);
  CHECK(since(second->captured) < 0.3);
  CHECK(second->seconds == Approx(0.05 * static_cast<double>(second->number)).margin(1e-6));
}

TEST_CASE("video source: a file begins again", "[pipeline][live]") {
  const Folder folder;
  VideoSource source(make_video(folder, 4).string(), {.loop = true});
  std::int64_t last = -1;
  double seconds = -1;
  for (int i = 0; i < 8; ++i) {
    const auto frame = source.next(kGo);
    REQUIRE(frame);
    CHECK(frame->number > last);
    CHECK(frame->seconds > seconds);
    CHECK(frame->seconds == Approx(0.05 * static_cast<double>(frame->number)).margin(1e-3));
    CHECK(psnr(frame->image, moving_picture({96, 64}, static_cast<int>(frame->number % 4))) > 30);
    last = frame->number;
    seconds = frame->seconds;
  }
  CHECK(last >= 7);
}

TEST_CASE("video source: the flag ends a wait at once", "[pipeline][live]") {
  const Folder folder;
  write_video(folder / "v.mp4", small_settings(), 3, [](int k) { return std::int64_t{1000} * k; });  // ten seconds apart
  VideoSource source((folder / "v.mp4").string());
  std::atomic<bool> stop{false};
  CHECK(source.next(stop));
  const auto start = LiveClock::now();
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    stop = true;
  });
  CHECK_FALSE(source.next(stop));
  CHECK(since(start) < 2);
  other.join();
}

TEST_CASE("video source: MJPEG over HTTP, stalled, closed and opened again", "[pipeline][live]") {
  VideoServer server([](VideoClient& connection, int number) {
    send_mjpeg(connection, 30, 0.005);
    if (number == 0) connection.wait_for_end();
  });
  VideoSource source("http://admin:s3cret@" + server.at() + "/video?token=abc", {.timeout = 0.7});
  CHECK(source.description() == "http://admin:***@" + server.at() + "/video?token=***: mjpeg 96x64");
  CHECK(source.can_reopen());
  int count = 0;
  std::int64_t last = -1;
  double seconds = -1;
  std::string message;
  const auto read_all = [&] {
    message = message_of([&] {
      while (const auto frame = source.next(kGo)) {
        CHECK(frame->number == last + 1);
        CHECK(frame->seconds >= seconds);
        CHECK(frame->image.size() == cv::Size(96, 64));
        last = frame->number;
        seconds = frame->seconds;
        ++count;
      }
    });
  };
  read_all();
  CHECK(count > 20);
  CHECK(message == "http://admin:***@" + server.at() + "/video?token=***: no data for 0.7 seconds");
  CHECK(fails_with([&] { source.next(kGo); }, "open it again first"));
  const int before = count;
  source.reopen();
  read_all();
  CHECK(count > before + 20);
  INFO(message);
  const std::string name = "http://admin:***@" + server.at() + "/video?token=***: ";
  CHECK((message.find(name + "the connection broke off") == 0 || message == name + "the stream has ended"));
  CHECK(seconds < 20);
}

TEST_CASE("video source: the flag ends a read from a silent server", "[pipeline][live]") {
  VideoServer server([](VideoClient& connection, int) {
    send_mjpeg(connection, 20, 0);
    connection.wait_for_end();
  });
  VideoSource source("http://" + server.at() + "/");
  std::atomic<bool> stop{false};
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    stop = true;
  });
  const auto start = LiveClock::now();
  while (source.next(stop)) {}
  CHECK(since(start) < 3);
  other.join();
}

TEST_CASE("video source: servers that do not answer, refuse, or send something else", "[pipeline][live]") {
  const auto refusal = [](const std::string& address, double timeout = 5) {
    return message_of([&] { VideoSource source(address, {.timeout = timeout}); });
  };
  {
    VideoServer silent([](VideoClient& connection, int) { connection.wait_for_end(); });
    const auto start = LiveClock::now();
    CHECK(refusal("http://u:pw@" + silent.at() + "/", 0.4) == "http://u:***@" + silent.at() + "/: no answer for 0.4 seconds");
    CHECK(refusal("rtsp://u:pw@" + silent.at() + "/", 0.4) == "rtsp://u:***@" + silent.at() + "/: no answer for 0.4 seconds");
    CHECK(since(start) < 4);
  }
  std::string gone;
  {
    VideoServer missing([](VideoClient& connection, int) {
      connection.request();
      connection.send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    gone = missing.at();
    const std::string reason = refusal("http://u:topsecret@" + missing.at() + "/?key=topsecret");
    INFO(reason);
    CHECK(reason.find("404") != std::string::npos);
    CHECK(reason.find("topsecret") == std::string::npos);
  }
  CHECK(refusal("http://u:pw@" + gone + "/").find("http://u:***@" + gone + "/: cannot connect: Connection refused") == 0);
  VideoServer text([](VideoClient& connection, int) {
    connection.request();
    connection.send(http_answer("text/html", "<html>Please log in.</html>"));
  });
  CHECK(refusal("http://" + text.at() + "/").find(": not a video") != std::string::npos);
  VideoServer flood([](VideoClient& connection, int) {
    connection.request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n");
    while (connection.send(std::string(4096, 'x'))) {}
  });
  CHECK_FALSE(refusal("http://" + flood.at() + "/", 2).empty());
}

TEST_CASE("video source: a server leads to no file", "[pipeline][live]") {
  const Folder folder;
  make_video(folder, 4);
  remux(folder / "v.mp4", folder / "v.ts", {.container = "mpegts"});
  for (const std::string& leads_to :
       {"file://" + (folder / "v.ts").string(), (folder / "v.ts").string(), std::string("/etc/passwd")}) {
    VideoServer server([&](VideoClient& connection, int number) {
      connection.request();
      if (number % 2 == 0)
        connection.send(http_answer("application/vnd.apple.mpegurl",
                                    "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" + leads_to + "\n#EXT-X-ENDLIST\n"));
      else connection.send("HTTP/1.1 302 Found\r\nLocation: " + leads_to + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    for (int i = 0; i < 2; ++i) {
      const std::string reason = message_of([&] {
        VideoSource source("http://" + server.at() + "/x.m3u8", {.timeout = 3});
        source.next(kGo);
      });
      INFO(reason);
      CHECK(reason.find("http://" + server.at() + "/x.m3u8: ") == 0);
      CHECK(reason.find("root:") == std::string::npos);
    }
  }
}

TEST_CASE("video source: a video on a server plays at its pace", "[pipeline][live]") {
  const Folder folder;
  const std::string bytes = bytes_of(make_video(folder, 12));
  VideoServer server([&](VideoClient& connection, int) {
    connection.request();
    connection.send(http_answer("video/mp4", bytes));
  });
  VideoSource source("http://" + server.at() + "/v.mp4");
  CHECK_FALSE(source.can_reopen());
  const auto start = LiveClock::now();
  std::int64_t last = -1;
  while (const auto frame = source.next(kGo)) last = frame->number;
  CHECK(last == 11);
  CHECK(since(start) > 0.5);
  CHECK(fails_with([] { VideoSource("rtsp://", {.timeout = 1}); }, "rtsp://"));
}

TEST_CASE("video source: a playlist on a server leads to its parts", "[pipeline][live]") {
  const Folder folder;
  remux(make_video(folder, 12), folder / "v.ts", {.container = "mpegts"});
  const std::string part = bytes_of(folder / "v.ts");
  VideoServer server([&](VideoClient& connection, int) {
    const bool wants_list = connection.request().find("x.m3u8") != std::string::npos;
    const std::string list = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.6,\nv.ts\n#EXT-X-ENDLIST\n";
    connection.send(wants_list ? http_answer("application/vnd.apple.mpegurl", list) : http_answer("video/mp2t", part));
  });
  VideoSource source("http://" + server.at() + "/x.m3u8");
  std::int64_t last = -1;
  while (const auto frame = source.next(kGo)) last = frame->number;
  CHECK(last == 11);
}

TEST_CASE("video source: RTSP over TCP, with a password", "[pipeline][live]") {
  const Folder folder;
  write_video(folder / "v.mp4", small_settings(), 40);
  remux(folder / "v.mp4", folder / "v.ts", {.container = "mpegts"});
  const std::string stream = bytes_of(folder / "v.ts");
  VideoServer server([&](VideoClient& connection, int) {
    if (serve_rtsp(connection, stream)) connection.wait_for_end();
  });
  const std::string refusal = message_of([&] { VideoSource("rtsp://admin:wr0ng@" + server.at() + "/live", {.timeout = 5}); });
  INFO(refusal);
  CHECK(refusal.find("rtsp://admin:***@" + server.at() + "/live: cannot ") == 0);
  CHECK(refusal.find("401") != std::string::npos);
  CHECK(refusal.find("wr0ng") == std::string::npos);
  VideoSource source("rtsp://admin:s3cret@" + server.at() + "/live", {.timeout = 1});
  CHECK(source.description().find("rtsp://admin:***@" + server.at() + "/live: h264 96x64") == 0);
  int count = 0;
  const std::string message = message_of([&] {
    double last = -1;
    while (const auto frame = source.next(kGo)) {
      CHECK(frame->seconds > last);
      last = frame->seconds;
      CHECK(psnr(frame->image, moving_picture({96, 64}, count)) > 28);
      ++count;
    }
  });
  CHECK(count >= 36);  // the decoder waits with the last ones for more
  CHECK(message == "rtsp://admin:***@" + server.at() + "/live: no data for 1 seconds");
}
