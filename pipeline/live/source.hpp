// Where live pictures come from: a camera, a video that plays in real time, a stream, a folder, standard input.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <opencv2/core.hpp>
#include <optional>
#include <string>

namespace fovea {

using LiveClock = std::chrono::steady_clock;

struct LiveFrame {
  cv::Mat image;                   // 8-bit BGR
  LiveClock::time_point captured;  // when the source had it: ages count from here
  std::int64_t number = 0;         // of the source, from 0; what was lost on the way is missing
  double seconds = 0;              // since the first frame, by the source's own time stamps
};

class LiveSource {
 public:
  virtual ~LiveSource() = default;
  // For people, without passwords: "/dev/video0: MJPG 1280x720, 30 frames/s".
  virtual std::string description() const = 0;
  // Waits for the next picture, as fast as the source gives them; looks at `stop` at least every 100 ms. None: the source has ended, or
  // `stop` is set. Error, with what to do, where it fails; whether the caller may try again by opening it anew says can_reopen().
  virtual std::optional<LiveFrame> next(const std::atomic<bool>& stop) = 0;
  virtual bool can_reopen() const = 0;
  // After an Error: closes and opens the source again. Error where that fails, too.
  virtual void reopen() = 0;
};

}  // namespace fovea
