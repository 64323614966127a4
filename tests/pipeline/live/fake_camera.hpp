// A camera made of system calls that were never made.
#pragma once

#include <linux/videodev2.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "pipeline/live/v4l2_calls.hpp"
#include "tests/support/images.hpp"

namespace fovea::test {

class FakeCamera final : public CameraCalls {
 public:
  struct Shot {
    Buffer bytes;
    std::uint32_t sequence = 0;
    std::uint32_t flags = 0;
    std::size_t says = 0;  // bytes used as the driver says, where that differs
  };

  std::set<std::uint32_t> formats{V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_YUYV};
  std::uint32_t capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
  std::uint32_t width = 32, height = 16;  // that it has, whatever is asked for
  std::uint32_t stride = 0;
  std::uint32_t buffers = 4;
  bool knows_rates = true;
  std::map<unsigned long, int> errors;  // by request: errno; 0 is open, 1 poll, 2 map
  std::deque<Shot> shots;               // that lie ready
  bool announces_nothing = false;       // poll says that a picture is there, and there is none

  // What was done with it.
  bool opened = false, streaming = false;
  int openings = 0, mapped = 0;
  std::uint32_t asked_width = 0, asked_height = 0;
  std::vector<std::uint32_t> asked_formats;
  v4l2_fract asked_time{};

  int open(const std::string&) override {
    ++openings;
    if (fails(0)) return -1;
    opened = true;
    return 1000;
  }
  void close(int) override { opened = streaming = false; }
  void* map(int, std::size_t length, long offset) override {
    if (fails(2)) return nullptr;
    ++mapped;
    memory_[static_cast<std::size_t>(offset)].resize(length);
    return memory_[static_cast<std::size_t>(offset)].data();
  }
  void unmap(void*, std::size_t) override { --mapped; }
  int poll(int, int milliseconds) override {
    if (fails(1)) return -1;
    if (!shots.empty() || announces_nothing || errors.count(VIDIOC_DQBUF)) return 1;
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    return 0;
  }
  int ioctl(int, unsigned long request, void* argument) override {
    if (fails(request)) return -1;
    switch (request) {
      case VIDIOC_QUERYCAP: return describe(*static_cast<v4l2_capability*>(argument));
      case VIDIOC_G_FMT: return 0;
      case VIDIOC_S_FMT: return set(*static_cast<v4l2_format*>(argument));
      case VIDIOC_ENUM_FMT: return list(*static_cast<v4l2_fmtdesc*>(argument));
      case VIDIOC_G_PARM: return rate(*static_cast<v4l2_streamparm*>(argument), false);
      case VIDIOC_S_PARM: return rate(*static_cast<v4l2_streamparm*>(argument), true);
      case VIDIOC_REQBUFS: return static_cast<v4l2_requestbuffers*>(argument)->count = buffers, 0;
      case VIDIOC_QUERYBUF: return buffer(*static_cast<v4l2_buffer*>(argument));
      case VIDIOC_QBUF: return queued_.push_back(static_cast<v4l2_buffer*>(argument)->index), 0;
      case VIDIOC_DQBUF: return take(*static_cast<v4l2_buffer*>(argument));
      case VIDIOC_STREAMON: return streaming = true, 0;
      case VIDIOC_STREAMOFF: return streaming = false, queued_.clear(), 0;
      default: return errno = ENOTTY, -1;
    }
  }

 private:
  static constexpr std::uint32_t kLength = 1 << 16;

  bool fails(unsigned long request) {
    const auto found = errors.find(request);
    if (found == errors.end()) return false;
    errno = found->second;
    return true;
  }
  int describe(v4l2_capability& about) const {
    std::memcpy(about.card, "Fake\x01", 6);
    about.capabilities = capabilities | V4L2_CAP_DEVICE_CAPS;
    about.device_caps = capabilities;
    return 0;
  }
  int set(v4l2_format& format) {
    auto& pixels = format.fmt.pix;
    asked_width = pixels.width;
    asked_height = pixels.height;
    asked_formats.push_back(pixels.pixelformat);
    if (!formats.count(pixels.pixelformat)) pixels.pixelformat = formats.empty() ? V4L2_PIX_FMT_H264 : *formats.begin();
    pixels.width = width;
    pixels.height = height;
    pixels.bytesperline = stride;
    return 0;
  }
  int list(v4l2_fmtdesc& format) const {
    if (format.index >= formats.size()) return errno = EINVAL, -1;
    format.pixelformat = *std::next(formats.begin(), format.index);
    return 0;
  }
  int rate(v4l2_streamparm& parameters, bool set) {
    if (!knows_rates) return errno = ENOTTY, -1;
    auto& capture = parameters.parm.capture;
    capture.capability = V4L2_CAP_TIMEPERFRAME;
    if (set) asked_time = capture.timeperframe;
    capture.timeperframe = {1, 25};
    return 0;
  }
  static int buffer(v4l2_buffer& buffer) {
    buffer.length = kLength;
    buffer.m.offset = buffer.index * kLength;
    return 0;
  }
  int take(v4l2_buffer& buffer) {
    if (shots.empty() || queued_.empty()) return errno = EAGAIN, -1;
    const Shot shot = std::move(shots.front());
    shots.pop_front();
    buffer.index = queued_.front();
    queued_.pop_front();
    Buffer& memory = memory_[std::size_t{buffer.index} * kLength];
    std::copy_n(shot.bytes.begin(), std::min(shot.bytes.size(), memory.size()), memory.begin());
    buffer.bytesused = static_cast<std::uint32_t>(shot.says ? shot.says : shot.bytes.size());
    buffer.sequence = shot.sequence;
    buffer.flags = shot.flags;
    return 0;
  }

  std::map<std::size_t, Buffer> memory_;
  std::deque<std::uint32_t> queued_;
};

}  // namespace fovea::test
