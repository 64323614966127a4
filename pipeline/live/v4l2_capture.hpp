// An opened camera: what was agreed on with its driver, and its buffers, which lie in memory that both share.
#pragma once

#include <linux/videodev2.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "pipeline/live/v4l2_source.hpp"

namespace fovea {

struct CameraFormat {
  std::uint32_t code = 0;  // V4L2_PIX_FMT_MJPEG, _JPEG, _YUYV or _NV12
  cv::Size size;
  std::size_t stride = 0;  // bytes a row; 0 for JPEG
  double rate = 0;         // pictures a second; 0: the driver does not say
};

// "MJPG": four letters, with '?' for what is none.
std::string code_text(std::uint32_t code);

// One picture as 8-bit BGR. Error where the bytes are too few, or damaged.
cv::Mat camera_picture(const CameraFormat& format, std::span<const std::uint8_t> bytes, const std::string& name);

// What a system call of a camera failed of, and what to do, by its errno.
std::string camera_reason(int error, const std::string& device);

// Opens, agrees on a format and starts the stream; Error otherwise.
class V4l2Capture {
 public:
  V4l2Capture(const CameraOptions& options, CameraCalls& calls);
  ~V4l2Capture();
  V4l2Capture(const V4l2Capture&) = delete;
  V4l2Capture& operator=(const V4l2Capture&) = delete;

  const CameraFormat& format() const { return format_; }
  const std::string& card() const { return card_; }  // the camera's name

  struct Picture {
    std::span<const std::uint8_t> bytes;
    std::uint32_t sequence = 0;
    LiveClock::time_point captured;
    bool damaged = false;  // by the driver's own word
  };
  // Waits at most so long for a picture, and shows the newest to `use` while its buffer is held. False: none came. Error: the
  // camera failed.
  bool newest(int milliseconds, const std::function<void(const Picture&)>& use);

 private:
  struct Buffer {
    void* memory = nullptr;
    std::size_t length = 0;
  };

  void start();
  void check_device();
  void agree();
  bool try_format(std::uint32_t code);
  std::string offered();
  void agree_on_rate();
  void map_buffers();
  void queue(std::uint32_t index);
  bool take(v4l2_buffer& buffer);
  Picture picture(const v4l2_buffer& buffer) const;
  void close();

  int call(unsigned long request, void* argument) { return calls_.ioctl(descriptor_, request, argument); }
  [[noreturn]] void cannot(const std::string& what, int error) const;

  const CameraOptions options_;
  CameraCalls& calls_;
  int descriptor_ = -1;
  std::string card_;
  CameraFormat format_;
  std::vector<Buffer> buffers_;
};

}  // namespace fovea
