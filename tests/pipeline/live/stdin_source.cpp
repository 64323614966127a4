#include "pipeline/live/stdin_source.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "modules/io/descriptor.hpp"
#include "tests/pipeline/live/jpegs.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace std::chrono_literals;
using test::Buffer;
using test::joined;

namespace {

const std::atomic<bool> kNever{false};

// A pipe that a thread writes to, in pieces, and closes.
class Writer {
 public:
  explicit Writer(Buffer bytes, std::size_t piece = 1000) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    read_.reset(ends[0]);
    thread_ = std::thread([bytes = std::move(bytes), piece, end = ends[1]] {
      for (std::size_t at = 0; at < bytes.size(); at += piece)
        if (::write(end, bytes.data() + at, std::min(piece, bytes.size() - at)) < 0) break;
      ::close(end);
    });
  }
  ~Writer() {
    std::vector<char> rest(65536);
    while (::read(read_.get(), rest.data(), rest.size()) > 0) {}
    thread_.join();
  }
  int descriptor() const { return read_.get(); }

 private:
  Descriptor read_;
  std::thread thread_;
};

std::vector<LiveFrame> all(LiveSource& source) {
  std::vector<LiveFrame> frames;
  while (auto frame = source.next(kNever)) frames.push_back(std::move(*frame));
  return frames;
}

}  // namespace

TEST_CASE("live pipe: motion JPEG, with rubbish and damage passed over and numbered", "[pipeline]") {
  const Buffer a = test::plain_jpeg(32, 16, 200), b = test::plain_jpeg(16, 32, 50);
  Buffer damaged = test::jpeg(test::noise(32, 32, CV_8UC3));
  damaged.erase(damaged.end() - 100, damaged.end() - 2);  // whole by its markers
  const Buffer cut(a.begin(), a.end() - 20), rubbish(3000, 0xd8);
  for (const std::size_t piece : {std::size_t{13}, std::size_t{100'000}}) {
    Writer writer(joined({rubbish, a, damaged, b, cut, b, rubbish}), piece);
    const auto source = stream_source(writer.descriptor(), "pipe");
    CHECK(source->description() == "pipe: motion JPEG");
    const std::vector<LiveFrame> frames = all(*source);
    REQUIRE(frames.size() == 3);
    CHECK((frames[0].number == 0 && frames[1].number == 2 && frames[2].number == 4));
    CHECK((frames[0].image.size() == cv::Size(32, 16) && frames[0].image.at<cv::Vec3b>(3, 3) == cv::Vec3b(200, 200, 200)));
    CHECK(frames[2].image.at<cv::Vec3b>(3, 3) == cv::Vec3b(50, 50, 50));
    CHECK((frames[0].seconds == 0 && frames[2].seconds >= 0));
  }
}

TEST_CASE("live pipe: raw frames, the last one cut", "[pipeline]") {
  const cv::Mat a = test::noise(6, 4, CV_8UC3, 1), b = test::noise(6, 4, CV_8UC3, 2);
  const auto bytes = [](const cv::Mat& m) { return Buffer(m.data, m.data + m.total() * 3); };
  Buffer cut = bytes(a);
  cut.pop_back();
  Writer writer(joined({bytes(a), bytes(b), cut}), 5);
  const auto source = stream_source(writer.descriptor(), "pipe", {.raw = cv::Size(6, 4)});
  CHECK(source->description() == "pipe: raw BGR 6x4");
  const std::vector<LiveFrame> frames = all(*source);
  REQUIRE(frames.size() == 2);
  CHECK(cv::norm(frames[0].image, a, cv::NORM_INF) == 0);
  CHECK(cv::norm(frames[1].image, b, cv::NORM_INF) == 0);
  CHECK(frames[1].number == 1);
}

TEST_CASE("live pipe: what ends without a frame says what was expected", "[pipeline]") {
  const auto message = [](const Buffer& bytes, const StreamSourceOptions& options) {
    Writer writer(bytes);
    const auto source = stream_source(writer.descriptor(), "pipe", options);
    return test::message_of([&] { all(*source); });
  };
  CHECK_THAT(message(Buffer(5000, 'x'), {}),
             Catch::Matchers::ContainsSubstring("expected JPEGs") &&
                 Catch::Matchers::ContainsSubstring("it ended after 5000 bytes without a whole one"));
  CHECK_THAT(message({}, {}), Catch::Matchers::ContainsSubstring("after 0 bytes"));
  CHECK_THAT(message(Buffer(71), {.raw = cv::Size(6, 4)}), Catch::Matchers::ContainsSubstring("raw frames of 72 bytes (6x4x3)"));
}

TEST_CASE("live pipe: stops while nothing comes", "[pipeline]") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Descriptor read(ends[0]), write(ends[1]);
  for (const StreamSourceOptions& options : {StreamSourceOptions{}, StreamSourceOptions{.raw = cv::Size(6, 4)}}) {
    const auto source = stream_source(read.get(), "pipe", options);
    std::atomic<bool> stop{false};
    std::thread stopper([&] { std::this_thread::sleep_for(50ms), stop = true; });
    const auto began = LiveClock::now();
    CHECK(!source->next(stop));
    CHECK(LiveClock::now() - began < 10s);
    stopper.join();
  }
}

TEST_CASE("live pipe: a terminal, a closed descriptor and a folder are refused", "[pipeline]") {
  const auto closed = stream_source(-1, "pipe");
  CHECK(!closed->can_reopen());
  std::atomic<bool> stop{false};
  const Descriptor folder(::open("/", O_RDONLY | O_CLOEXEC));
  CHECK(test::fails_with([&] { stream_source(folder.get(), "pipe")->next(stop); }, "pipe: cannot read"));
  const Descriptor terminal(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (terminal) CHECK(test::fails_with([&] { stream_source(terminal.get(), "pipe"); }, "got a terminal"));
}

TEST_CASE("live pipe: raw frames have a size", "[pipeline]") {
  CHECK(test::fails_with([&] { stream_source(0, "pipe", {.raw = cv::Size(0, 5)}); }, "pipe: expected"));
}
