#include "pipeline/live/v4l2_source.hpp"

#include <fmt/format.h>

#include "modules/core/error.hpp"
#include "pipeline/live/v4l2_capture.hpp"

namespace fovea {
namespace {

class V4l2Source final : public LiveSource {
 public:
  V4l2Source(const CameraOptions& options, CameraCalls& calls) : options_(options), calls_(calls) { open(); }

  std::string description() const override {
    const CameraFormat& format = capture_->format();
    std::string text =
        fmt::format("{}: {} {}x{}", options_.device, code_text(format.code), format.size.width, format.size.height);
    if (!options_.size.empty() && options_.size != format.size)
      text += fmt::format(" (asked for {}x{})", options_.size.width, options_.size.height);
    if (format.rate > 0) text += fmt::format(", {:.4g} frames/s", format.rate);
    return capture_->card().empty() ? text : text + ", " + capture_->card();
  }

  std::optional<LiveFrame> next(const std::atomic<bool>& stop) override {
    check(capture_ != nullptr, options_.device, ": expected an open camera, got one that could not be opened again");
    std::optional<LiveFrame> frame;
    std::string problem = "no picture came";
    const auto since = LiveClock::now();
    while (!frame && !stop) {
      capture_->newest(100, [&](const V4l2Capture::Picture& picture) { frame = decoded(picture, problem); });
      check(frame || LiveClock::now() - since < options_.longest_silence, options_.device, ": expected a picture within ",
            options_.longest_silence.count(), " ms, got none (", problem, "); plug it in again");
    }
    return frame;
  }

  bool can_reopen() const override { return true; }
  void reopen() override {
    capture_.reset();  // a device may be opened for streaming once
    open();
  }

 private:
  void open() {
    capture_ = std::make_unique<V4l2Capture>(options_, calls_);
    base_ = next_number_;
    first_sequence_.reset();
  }

  std::optional<LiveFrame> decoded(const V4l2Capture::Picture& picture, std::string& problem) {
    // Drivers count lost frames, and start over when they are opened; 32 bits come round after years.
    if (!first_sequence_) first_sequence_ = picture.sequence;
    const std::int64_t number = base_ + static_cast<std::uint32_t>(picture.sequence - *first_sequence_);
    if (picture.damaged || picture.bytes.empty()) {
      problem = "the camera gave damaged pictures only";
      return std::nullopt;
    }
    try {
      LiveFrame frame{camera_picture(capture_->format(), picture.bytes, options_.device), picture.captured, number, 0};
      if (!began_) began_ = picture.captured;
      frame.seconds = std::chrono::duration<double>(picture.captured - *began_).count();
      next_number_ = number + 1;
      return frame;
    } catch (const Error& e) {
      problem = e.what();
      return std::nullopt;
    }
  }

  const CameraOptions options_;
  CameraCalls& calls_;
  std::unique_ptr<V4l2Capture> capture_;
  std::optional<std::uint32_t> first_sequence_;  // since it was opened
  std::int64_t base_ = 0, next_number_ = 0;      // of all frames, over openings
  std::optional<LiveClock::time_point> began_;
};

}  // namespace

std::unique_ptr<LiveSource> v4l2_source(const CameraOptions& options, CameraCalls& calls) {
  check(options.size.width >= 0 && options.size.height >= 0 && options.size.width <= 16384 && options.size.height <= 16384 &&
            (options.size.width == 0) == (options.size.height == 0),
        options.device, ": expected a size with sides from 1 to 16384, got ", options.size.width, "x", options.size.height);
  check(options.rate >= 0 && options.rate <= 1000, options.device, ": expected a rate up to 1000 pictures/s, got ", options.rate);
  return std::make_unique<V4l2Source>(options, calls);
}

}  // namespace fovea
