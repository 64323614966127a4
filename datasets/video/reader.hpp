// Frames of a video, one after another, with the times at which they are to be shown.
//
//   VideoReader video("street.mp4");
//   while (const auto frame = video.next()) use(frame->image, frame->seconds);
//   for (const std::string& note : video.notes()) say(note);
#pragma once

#include <chrono>
#include <memory>
#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <vector>

#include "datasets/video/options.hpp"

namespace fovea {

struct TimeBase {
  int numerator = 1, denominator = 1000;  // seconds of a tick
  double seconds(std::int64_t ticks) const { return static_cast<double>(ticks) * numerator / denominator; }
  bool operator==(const TimeBase&) const = default;
};

// As the container says them, before anything is decoded.
struct VideoFacts {
  cv::Size size;             // as shown: turned
  int rotation = 0;          // degrees clockwise, done already: 0, 90, 180, 270
  bool mirrored = false;     // left to right before that, done already
  double sample_aspect = 1;  // width of a pixel by its height; pictures are not stretched to it. 1 where it is unknown
  double frame_rate = 0;     // the average; 0: unknown
  double seconds = 0;        // duration; 0: unknown
  std::int64_t frames = 0;   // 0: unknown
  TimeBase time_base;        // of the time stamps
  bool has_times = true;     // false: a bare sequence of pictures, whose times only follow a nominal frame rate
  bool has_audio = false;
  std::string codec, container;  // FFmpeg's names: "h264", "mov,mp4,m4a,3gp,3g2,mj2"
};

struct VideoFrame {
  cv::Mat image;                                   // 8-bit BGR, upright; its own memory
  double seconds = 0;                              // when to show it, by the clock of the file, which may begin anywhere
  std::int64_t pts = 0;                            // the same in ticks; more than that of the frame before
  std::int64_t duration = 0;                       // ticks, to the next frame; 0: unknown
  std::chrono::steady_clock::time_point received;  // when its last bytes were read
};

// The best video stream of a file or address (datasets/video/address.hpp). Not for several threads at once.
//
// Files are read by content, whatever their name is. No file leads to another one or to a network: playlists and lists of files
// are refused. Time stamps may be missing, run backwards or begin anew: missing ones follow the frame rate, those that run
// backwards move up to the frame before, a clock that begins anew goes on. Others stay as they are, so a variable frame rate
// does. Parts that are damaged are left out. Frames keep their own size where it changes on the way. Certificates of servers
// are not checked: cameras sign their own.
class VideoReader {
 public:
  // Throws Error with the reason: missing (FileError), a folder, not a video, no video stream, a codec that this FFmpeg does
  // not decode, too many pixels, an address that refuses or stays silent.
  explicit VideoReader(const std::string& source, const VideoOptions& options = {});
  ~VideoReader();
  VideoReader(VideoReader&&) noexcept;
  VideoReader& operator=(VideoReader&&) noexcept;

  const VideoFacts& facts() const;
  const std::string& name() const;  // for people: the path, or the address without passwords

  // None at the end, or where `stop` or the options' stop is set; none from then on. Throws Error where not one frame can be
  // decoded, or an address breaks off or stays silent; FileError where the disk fails.
  std::optional<VideoFrame> next(const std::atomic<bool>* stop = nullptr);
  // The same without an image, for frames that may not be wanted; image() makes that of the last one.
  std::optional<VideoFrame> decode(const std::atomic<bool>* stop = nullptr);
  cv::Mat image();

  // Packets so far that could not be decoded.
  std::int64_t lost() const;
  // What is to be said of the frames so far: "3 packets were damaged and left out".
  std::vector<std::string> notes() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fovea
