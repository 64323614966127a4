// The audio of a video, packet by packet as it is, into another one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/video/input.hpp"

namespace fovea::ffmpeg {

class AudioCopy {
 public:
  // Adds a stream to `out` for each of the source's that its format takes. Before the header is written. `out` outlives it.
  AudioCopy(const std::filesystem::path& source, AVFormatContext& out);

  // What is copied from now on is so much later.
  void shift(std::int64_t ticks, AVRational time_base) { shift_ = ticks, shift_base_ = time_base; }
  // Writes what begins up to then, in seconds of the source. An FFmpeg error, or 0.
  int copy_until(double seconds);
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  struct Track {
    AVStream* to = nullptr;
    std::int64_t next = AV_NOPTS_VALUE;  // in ticks of the source: where a packet without a time stamp goes
    std::int64_t last = AV_NOPTS_VALUE;  // in ticks of `to`
  };

  void add_track(const AVStream& from, const std::string& name);
  void fetch();
  int write();

  Input input_;
  AVFormatContext& out_;
  std::vector<Track> tracks_;  // one for each stream of the source
  Packet pending_;
  std::int64_t shift_ = 0;
  AVRational shift_base_{1, 1};
  int damaged_ = 0;
  bool has_pending_ = false, ended_ = false, told_order_ = false;
  std::vector<std::string> notes_;
};

}  // namespace fovea::ffmpeg
