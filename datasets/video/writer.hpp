// Frames into a video file that every player takes, with their times and the audio of the video that they came from.
//
//   VideoReader video("street.mp4");
//   VideoWriter out("blurred.mp4", {.size = video.facts().size, .time_base = video.facts().time_base, .audio_from = "street.mp4"});
//   while (const auto frame = video.next()) out.write(blurred(frame->image), frame->pts, frame->duration);
//   out.finish();
#pragma once

#include <filesystem>
#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "datasets/video/reader.hpp"

namespace fovea {

struct VideoWriterSettings {
  cv::Size size;                          // of all frames
  TimeBase time_base{};                   // of the time stamps
  double frame_rate = 0;                  // about; it only guides the encoder. 0: unknown
  double sample_aspect = 1;               // width of a pixel by its height, for players
  int crf = 20;                           // quality, 0 (without loss) to 51
  std::string preset = "medium";          // of x264: "ultrafast" ... "veryslow"
  int threads = 1;                        // of the encoder
  std::filesystem::path audio_from = {};  // a video whose audio is copied; empty: none
  std::string encoder = {};               // "libx264", "mpeg4"; empty: the first of them that this FFmpeg has
};

// H.264 (or, where FFmpeg lacks x264, MPEG-4 Part 2: a note says so) in .mp4 or .mkv, 4:2:0, tagged with its colours: BT.709
// from 720 lines on, else BT.601. Encoders take even sides only: an odd one grows by one pixel, a copy of the last, so nothing
// is lost.
//
// Times are those given: exact in .mp4 (of MPEG-4 Part 2 to 1/60000 s); .mkv counts milliseconds. A video that begins before 0
// is moved to it, with its audio; .mkv also where the audio begins before 0. Audio is copied packet by packet, not encoded
// again; streams that the container does not take are left out, with a note.
//
// Under its name the file is complete or as it was before: until finish() a temporary one lies beside it, and none is left
// without that.
class VideoWriter {
 public:
  // Throws Error for settings that cannot be, or where `audio_from` cannot be read; FileError where the file cannot be written.
  VideoWriter(const std::filesystem::path& file, const VideoWriterSettings& settings);
  ~VideoWriter();
  VideoWriter(VideoWriter&&) noexcept;
  VideoWriter& operator=(VideoWriter&&) noexcept;

  // An 8-bit BGR picture of the size of the settings. `pts`: when it is shown, later than the one before; `duration`: 0 for
  // unknown. Error, FileError (a full disk).
  void write(const cv::Mat& image, std::int64_t pts, std::int64_t duration = 0);
  // Ends the file and gives it its name. `whole`: the audio is copied to its end; else to the end of the last frame, for a
  // video that was cut short. Throws Error without any frame; FileError.
  void finish(bool whole = true);

  std::vector<std::string> notes() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fovea
