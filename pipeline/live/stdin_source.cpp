#include "pipeline/live/stdin_source.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <span>
#include <system_error>

#include "modules/core/error.hpp"
#include "pipeline/live/mjpeg.hpp"

namespace fovea {
namespace {

constexpr int kMostSide = 16384;

// Bytes as they come, waiting for them at most 100 ms.
class Pipe {
 public:
  Pipe(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {
    check(::isatty(descriptor) == 0, name_,
          ": expected a pipe with pictures, got a terminal: for example ffmpeg ... -f mjpeg - | fovea ...");
  }

  // The bytes that it got; none: nothing came yet, or ended() is true.
  std::size_t read(std::span<std::uint8_t> into) {
    pollfd p{descriptor_, POLLIN, 0};
    const int ready = ::poll(&p, 1, 100);
    if (ready == 0 || (ready < 0 && errno == EINTR)) return 0;
    const ssize_t n = ::read(descriptor_, into.data(), into.size());
    if (n == 0) ended_ = true;
    if (n < 0 && errno != EINTR && errno != EAGAIN) fail(name_, ": cannot read: ", std::generic_category().message(errno));
    const std::size_t got = n > 0 ? static_cast<std::size_t>(n) : 0;
    total_ += got;
    return got;
  }
  bool ended() const { return ended_; }
  std::size_t total() const { return total_; }
  const std::string& name() const { return name_; }

 private:
  const int descriptor_;
  const std::string name_;
  bool ended_ = false;
  std::size_t total_ = 0;
};

// Numbers and times of a stream that has no time stamps of its own.
class StreamSource : public LiveSource {
 public:
  StreamSource(int descriptor, const std::string& name) : pipe_(descriptor, name) {}
  bool can_reopen() const override { return false; }
  void reopen() override {}

 protected:
  LiveFrame frame(cv::Mat image) {
    const auto now = LiveClock::now();
    if (given_++ == 0) first_ = now;
    return {std::move(image), now, number_++, std::chrono::duration<double>(now - first_).count()};
  }
  void pass_over() { ++number_; }
  std::optional<LiveFrame> end(const std::string& expected) const {
    check(given_ > 0, pipe_.name(), ": expected ", expected, "; it ended after ", pipe_.total(), " bytes without a whole one");
    return std::nullopt;
  }
  Pipe pipe_;

 private:
  std::int64_t number_ = 0, given_ = 0;
  LiveClock::time_point first_;
};

class MjpegSource final : public StreamSource {
 public:
  using StreamSource::StreamSource;
  std::string description() const override { return pipe_.name() + ": motion JPEG"; }

  std::optional<LiveFrame> next(const std::atomic<bool>& stop) override {
    std::array<std::uint8_t, 65536> bytes;
    while (!stop) {
      while (const auto jpeg = splitter_.next()) {
        pass_over_broken();
        try {
          return frame(decode_live_jpeg(*jpeg, pipe_.name()));
        } catch (const Error&) { pass_over(); }
        if (stop) return std::nullopt;
      }
      if (pipe_.ended()) return end("JPEGs one after the other (or raw frames with their size given)");
      splitter_.feed(std::span(bytes).first(pipe_.read(bytes)));
      if (pipe_.ended()) splitter_.finish();
    }
    return std::nullopt;
  }

 private:
  void pass_over_broken() {
    for (; broken_ < splitter_.passed_over(); ++broken_) pass_over();
  }

  JpegSplitter splitter_;
  std::int64_t broken_ = 0;
};

class RawSource final : public StreamSource {
 public:
  RawSource(int descriptor, const std::string& name, cv::Size size) : StreamSource(descriptor, name), size_(size) {
    check(size.width >= 1 && size.width <= kMostSide && size.height >= 1 && size.height <= kMostSide, name,
          ": expected raw frames with sides from 1 to ", kMostSide, ", got ", size.width, "x", size.height);
  }
  std::string description() const override { return fmt::format("{}: raw BGR {}x{}", pipe_.name(), size_.width, size_.height); }

  std::optional<LiveFrame> next(const std::atomic<bool>& stop) override {
    if (image_.empty()) image_.create(size_, CV_8UC3);
    const std::size_t whole = image_.total() * image_.elemSize();
    while (filled_ < whole) {
      if (stop) return std::nullopt;
      filled_ += pipe_.read(std::span(image_.data, whole).subspan(filled_));
      if (pipe_.ended()) return end(fmt::format("raw frames of {} bytes ({}x{}x3)", whole, size_.width, size_.height));
    }
    filled_ = 0;
    return frame(std::exchange(image_, cv::Mat()));
  }

 private:
  const cv::Size size_;
  cv::Mat image_;
  std::size_t filled_ = 0;
};

}  // namespace

std::unique_ptr<LiveSource> stream_source(int descriptor, const std::string& name, const StreamSourceOptions& options) {
  if (options.raw) return std::make_unique<RawSource>(descriptor, name, *options.raw);
  return std::make_unique<MjpegSource>(descriptor, name);
}

std::unique_ptr<LiveSource> stdin_source(const StreamSourceOptions& options) {
  return stream_source(STDIN_FILENO, "standard input", options);
}

}  // namespace fovea
