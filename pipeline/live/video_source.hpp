// Videos as cameras: a file that plays in real time, or the stream of an address.
#pragma once

#include <optional>
#include <string>

#include "datasets/video/reader.hpp"
#include "pipeline/live/source.hpp"

namespace fovea {

struct VideoSourceOptions {
  bool loop = false;    // a file begins again at its end; `number` and `seconds` go on
  double timeout = 10;  // seconds that an address may stay silent
  int threads = 1;      // of the decoder
};

// What has a duration, a file here or on a server, plays at its own pace: each frame comes at its time, counted from the first
// call. Who asks too late gets the frame whose time it is: those before are lost, as with a camera, and `number` counts them.
// Where decoding itself takes longer than playing, the clock waits for it.
//
// Of all other addresses (RTSP over TCP, MJPEG over HTTP, MPEG-TS ...) frames come as they arrive, with the shortest delay.
// `seconds` are the stream's own, or, where it has none (MJPEG), those of the clock; over a reopening they go on by the clock.
// Names and messages hold no passwords.
class VideoSource final : public LiveSource {
 public:
  // Opens it. Error as of VideoReader.
  explicit VideoSource(std::string source, const VideoSourceOptions& options = {});

  std::string description() const override;
  // Error, too, where a stream ends that has no end of its own.
  std::optional<LiveFrame> next(const std::atomic<bool>& stop) override;
  // Addresses without a duration.
  bool can_reopen() const override { return !is_paced_; }
  // Takes twice the time-out at most.
  void reopen() override;

 private:
  std::optional<LiveFrame> next_paced(const std::atomic<bool>& stop);
  std::optional<LiveFrame> next_arriving(const std::atomic<bool>& stop);
  std::optional<VideoFrame> decode_or_begin_again(const std::atomic<bool>& stop);
  bool may_skip(double seconds_late, LiveClock::time_point now);
  void open();

  const std::string source_;
  const VideoSourceOptions options_;
  std::optional<VideoReader> reader_;
  std::string name_;
  VideoFacts facts_;
  bool is_paced_ = false;
  std::int64_t number_ = 0;                     // of the next frame
  std::int64_t lost_ = 0;                       // of these, counted for packets of this opening that could not be decoded
  std::optional<double> first_;                 // the time stamp that the seconds of this opening, or round, count from
  double from_ = 0;                             // what they began with
  double step_ = 0, latest_ = 0;                // of the last frame: seconds to the next one; its own
  std::optional<LiveClock::time_point> start_;  // when second 0 was, or is taken to have been
  // While frames are left out to catch up: since when, and how late it was then.
  std::optional<LiveClock::time_point> behind_since_;
  double behind_ = 0;
};

}  // namespace fovea
