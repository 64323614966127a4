#include "pipeline/live/mjpeg.hpp"

#include <chrono>

#include "tests/pipeline/live/jpegs.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/fuzz.hpp"

using namespace fovea;
using test::Buffer;
using test::joined;

namespace {

Buffer text(const std::string& text) { return Buffer(text.begin(), text.end()); }

// All pictures of a stream that is fed in pieces.
std::vector<Buffer> split(const Buffer& stream, std::size_t piece, std::size_t longest = std::size_t{16} << 20) {
  JpegSplitter splitter(longest);
  std::vector<Buffer> pictures;
  const auto drain = [&] {
    while (auto picture = splitter.next()) pictures.push_back(std::move(*picture));
  };
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    splitter.feed(std::span(stream).subspan(at, std::min(piece, stream.size() - at)));
    drain();
  }
  splitter.finish();
  drain();
  return pictures;
}

Buffer first(const Buffer& bytes, std::size_t n) { return Buffer(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n)); }

const Buffer kSmall = test::jpeg(test::noise(16, 8, CV_8UC3, 3));
const Buffer kLarge =
    test::with_thumbnail(test::jpeg(test::noise(24, 16, CV_8UC3, 4)), test::jpeg(test::noise(8, 8, CV_8UC3, 5)));

}  // namespace

TEST_CASE("live MJPEG: pictures are found whatever lies between them and however they come", "[pipeline]") {
  const Buffer rubbish = text("--boundary\r\nContent-Type: image/jpeg\r\n\r\n"),
               odd{0xff, 0xff, 0xd8, 0xff, 0x00, 0xff, 0xd9, 0xff};
  const Buffer stream = joined({rubbish, kSmall, kLarge, rubbish, odd, kSmall, odd, kLarge, rubbish});
  const std::vector<Buffer> expected{kSmall, kLarge, kSmall, kLarge};
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1000}, stream.size()}) {
    CAPTURE(piece);
    CHECK(split(stream, piece) == expected);
  }
  CHECK(split({}, 1).empty());
  CHECK(split(rubbish, 1).empty());
}

TEST_CASE("live MJPEG: a picture that is cut costs none of those around it", "[pipeline]") {
  for (const Buffer& broken : {kSmall, kLarge}) {
    int lost = 0;
    for (std::size_t cut = 0; cut < broken.size(); ++cut) {
      CAPTURE(cut);
      const std::vector<Buffer> pictures = split(joined({kSmall, first(broken, cut), kSmall, kLarge}), 64);
      // What is left of it may hold a thumbnail that is whole.
      REQUIRE((pictures.size() >= 3 && pictures.size() <= 4));
      CHECK(pictures.front() == kSmall);
      CHECK(pictures.back() == kLarge);
      lost += pictures[pictures.size() - 2] != kSmall;
      // At the end of the stream, too.
      const std::vector<Buffer> last = split(joined({kSmall, first(broken, cut)}), 64);
      CHECK((last.size() >= 1 && last.size() <= 2 && last.front() == kSmall));
    }
    // Cut in its header, at a place from which its length leads to where a segment of the next picture begins: nobody can tell.
    CHECK(lost * 20 <= static_cast<int>(broken.size()));
  }
}

TEST_CASE("live MJPEG: what is longer than the limit is passed over, and memory stays bounded", "[pipeline]") {
  const std::size_t longest = 4096;
  Buffer endless{0xff, 0xd8, 0xff, 0xda, 0, 2};
  endless.resize(100'000, 0x55);
  CHECK(split(joined({kSmall, endless, kSmall}), 512, longest) == std::vector<Buffer>{kSmall, kSmall});
  endless[3] = 0xe0;  // a header without end
  endless[4] = endless[5] = 0xff;
  CHECK(split(joined({kSmall, endless, kSmall}), 512, longest) == std::vector<Buffer>{kSmall, kSmall});
  CHECK(split(joined({kLarge, kSmall}), 512, kLarge.size() - 1).back() == kSmall);
}

TEST_CASE("live MJPEG: beginnings inside beginnings take time in proportion to their bytes", "[pipeline]") {
  // Each start is followed by segments that hold the next starts, and none leads to a picture.
  Buffer stream;
  while (stream.size() < std::size_t{1} << 20)
    for (const int byte : {0xff, 0xe0, 0, 4, 0xff, 0xd8}) stream.push_back(static_cast<std::uint8_t>(byte));
  const auto began = std::clock();
  CHECK(split(stream, 65536).empty());
  CHECK(static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC < 30);
}

TEST_CASE("live MJPEG: the header's size", "[pipeline]") {
  CHECK(jpeg_size(kLarge) == cv::Size(24, 16));
  for (std::size_t cut = 0; cut < kLarge.size(); ++cut) {
    const auto size = jpeg_size(first(kLarge, cut));
    CHECK((!size || *size == cv::Size(24, 16)));
  }
  CHECK(!jpeg_size(text("no picture")));
}

TEST_CASE("live MJPEG: decoding gives BGR, with the usual tables where a camera sends none", "[pipeline]") {
  const cv::Mat colour = decode_live_jpeg(kSmall, "stream");
  CHECK((colour.type() == CV_8UC3 && colour.size() == cv::Size(16, 8)));
  const Buffer bare = test::without(kSmall, 0xc4);
  REQUIRE(bare.size() < kSmall.size());
  CHECK(cv::norm(decode_live_jpeg(bare, "stream"), colour, cv::NORM_INF) == 0);
  CHECK(decode_live_jpeg(test::jpeg(test::noise(16, 8, CV_8UC1)), "stream").type() == CV_8UC3);
}

TEST_CASE("live MJPEG: decoding refuses damage, and sizes before there is memory for them", "[pipeline]") {
  for (std::size_t cut = 0; cut + 2 < kSmall.size(); ++cut)
    CHECK(test::message_of([&] { decode_live_jpeg(first(kSmall, cut), "stream"); }).starts_with("stream: "));
  Buffer huge = kSmall;
  for (std::size_t at = 0; at + 8 < huge.size(); ++at)
    if (huge[at] == 0xff && huge[at + 1] == 0xc0) huge[at + 5] = huge[at + 7] = 0xf0;
  CHECK(test::fails_with([&] { decode_live_jpeg(huge, "stream"); }, "too large"));
}

TEST_CASE("live MJPEG: damaged streams", "[pipeline][fuzz]") {
  const auto as_text = [](const Buffer& bytes) { return std::string(bytes.begin(), bytes.end()); };
  test::fuzz("MJPEG", {as_text(joined({kSmall, kLarge, kSmall})), as_text(kLarge)}, [](const std::string& stream) {
    for (const Buffer& picture : split(Buffer(stream.begin(), stream.end()), 100, 1 << 16)) decode_live_jpeg(picture, "stream");
  });
}
