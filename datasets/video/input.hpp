// A video file or address, open for reading: which formats and protocols may be used, time-outs, what ended the reading.
#pragma once

#include <chrono>

#include "datasets/video/ffmpeg.hpp"
#include "datasets/video/options.hpp"

namespace fovea::ffmpeg {

class Input {
 public:
  // Throws Error with the reason (of files: missing, a folder, not a video; of addresses: of no known kind, refused, silent),
  // FileError where the system said it. A file may read nothing but itself, and an address no files.
  Input(const std::string& source, const VideoOptions& options);

  enum class Read : std::uint8_t { packet, damaged, end, stopped };
  // `stop`: beside the one of the options. Throws Error where an address stays silent or breaks off, FileError where the disk
  // fails.
  Read read(AVPacket& packet, const std::atomic<bool>* stop);

  AVFormatContext& context() const { return *context_; }
  const std::string& name() const { return name_; }  // for people
  bool is_address() const { return is_address_; }
  // At the end: whether the file stopped inside something that it had announced.
  bool is_cut() const { return cut_; }

 private:
  // What FFmpeg asks while it waits.
  struct Watch {
    const std::atomic<bool>*always, *now = nullptr;
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
    bool stopped() const { return (always && *always) || (now && *now); }
    bool late() const { return std::chrono::steady_clock::now() > deadline; }
  };

  void open(const VideoOptions& options);
  void open_file();
  void find_streams(const VideoOptions& options);
  void start_waiting();
  [[noreturn]] void cannot_open(int error) const;
  void check_disk() const;
  Read judge(int error);

  const std::string name_;
  const bool is_address_;
  const std::string url_;
  const double timeout_;
  Watch watch_;
  std::unique_ptr<AVIOContext, FreeStream> file_;  // outlives the context
  InputContext context_;
  bool cut_ = false;
};

}  // namespace fovea::ffmpeg
