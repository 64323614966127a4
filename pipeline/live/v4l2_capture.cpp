// Linux media userspace API, part I: querying capabilities, data formats, streaming parameters, streaming I/O (memory mapping).
#include "pipeline/live/v4l2_capture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <thread>

#include "modules/core/error.hpp"

namespace fovea {
namespace {

constexpr std::uint32_t kCapture = V4L2_BUF_TYPE_VIDEO_CAPTURE;
constexpr std::uint32_t kBuffers = 4;
constexpr std::uint32_t kMostFormats = 64;  // that are listed; a broken driver may never end its list

template <class T>
T of_capture() {
  T t{};
  t.type = kCapture;
  return t;
}

template <class T>
std::string text_of(const T& field) {
  const auto* text = reinterpret_cast<const char*>(field);
  std::string clean(text, strnlen(text, sizeof(T)));
  for (char& c : clean)
    if (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) > 126) c = '?';
  return clean;
}

v4l2_buffer empty_buffer(std::uint32_t index = 0) {
  auto buffer = of_capture<v4l2_buffer>();
  buffer.memory = V4L2_MEMORY_MMAP;
  buffer.index = index;
  return buffer;
}

// By the driver's stamp where it is of the clock that we use and says a time that can be.
LiveClock::time_point time_of(const v4l2_buffer& buffer) {
  const auto now = LiveClock::now();
  if ((buffer.flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) != V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC) return now;
  constexpr long kMostSeconds = 1L << 33;  // nanoseconds of more do not fit 64 bits
  const auto& stamp = buffer.timestamp;
  if (stamp.tv_sec < 0 || stamp.tv_sec >= kMostSeconds || stamp.tv_usec < 0 || stamp.tv_usec >= 1'000'000) return now;
  const LiveClock::time_point time(std::chrono::seconds(stamp.tv_sec) + std::chrono::microseconds(stamp.tv_usec));
  return time <= now && now - time < std::chrono::seconds(10) ? time : now;
}

}  // namespace

V4l2Capture::V4l2Capture(const CameraOptions& options, CameraCalls& calls) : options_(options), calls_(calls) {
  descriptor_ = calls_.open(options_.device);
  if (descriptor_ < 0) cannot("cannot be opened", errno);
  try {
    start();
  } catch (...) {
    close();
    throw;
  }
}

V4l2Capture::~V4l2Capture() { close(); }

void V4l2Capture::start() {
  check_device();
  agree();
  agree_on_rate();
  map_buffers();
  int type = kCapture;
  if (call(VIDIOC_STREAMON, &type) != 0) cannot("cannot start", errno);
}

void V4l2Capture::close() {
  if (descriptor_ < 0) return;
  int type = kCapture;
  call(VIDIOC_STREAMOFF, &type);
  for (const Buffer& buffer : buffers_) calls_.unmap(buffer.memory, buffer.length);
  buffers_.clear();
  calls_.close(descriptor_);
  descriptor_ = -1;
}

void V4l2Capture::check_device() {
  v4l2_capability about{};
  if (call(VIDIOC_QUERYCAP, &about) != 0) {
    if (const int error = errno; error != ENOTTY && error != EINVAL) cannot("cannot be asked what it is", error);
    fail(options_.device, ": expected a camera, got something else: ls /dev/video* lists what may be one");
  }
  card_ = text_of(about.card);
  const std::uint32_t can = about.capabilities & V4L2_CAP_DEVICE_CAPS ? about.device_caps : about.capabilities;
  check(can & V4L2_CAP_VIDEO_CAPTURE, options_.device, ": \"", card_,
        "\" gives no pictures here: expected a device for video capture, ",
        "got one for something else. Many cameras have several devices: try the number below");
  check(can & V4L2_CAP_STREAMING, options_.device, ": \"", card_, "\": expected a camera that streams, got one that does not");
}

void V4l2Capture::agree() {
  for (const std::uint32_t code : {V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_JPEG, V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_NV12})
    if (try_format(code)) return;
  fail(options_.device, ": \"", card_, "\": expected MJPG, YUYV or NV12, got ", offered());
}

// A driver answers with what it will give, which may be another format or size.
bool V4l2Capture::try_format(std::uint32_t code) {
  auto format = of_capture<v4l2_format>();
  if (call(VIDIOC_G_FMT, &format) != 0) cannot("does not say its format", errno);
  auto& pixels = format.fmt.pix;
  if (!options_.size.empty()) {
    pixels.width = static_cast<std::uint32_t>(options_.size.width);
    pixels.height = static_cast<std::uint32_t>(options_.size.height);
  }
  pixels.pixelformat = code;
  pixels.field = V4L2_FIELD_ANY;
  pixels.bytesperline = pixels.sizeimage = 0;
  if (call(VIDIOC_S_FMT, &format) != 0) {
    if (const int error = errno; error != EINVAL) cannot("cannot be set", error);
    return false;
  }
  constexpr std::uint32_t kMostSide = 16384;
  if (pixels.pixelformat != code || pixels.width < 2 || pixels.height < 2 || pixels.width > kMostSide ||
      pixels.height > kMostSide)
    return false;
  format_ = {code, cv::Size(static_cast<int>(pixels.width), static_cast<int>(pixels.height)), pixels.bytesperline, 0};
  const std::size_t row = code == V4L2_PIX_FMT_YUYV ? 2UL * pixels.width : code == V4L2_PIX_FMT_NV12 ? pixels.width : 0;
  format_.stride = row == 0 ? 0 : std::max<std::size_t>(format_.stride, row);  // some drivers leave it at 0
  const bool halves = row > 0 && (pixels.width % 2 != 0 || (code == V4L2_PIX_FMT_NV12 && pixels.height % 2 != 0));
  return !halves;
}

std::string V4l2Capture::offered() {
  std::string names;
  auto format = of_capture<v4l2_fmtdesc>();
  for (; format.index < kMostFormats && call(VIDIOC_ENUM_FMT, &format) == 0; ++format.index)
    names += (names.empty() ? "" : ", ") + code_text(format.pixelformat);
  return names.empty() ? "none of them" : names;
}

void V4l2Capture::agree_on_rate() {
  auto parameters = of_capture<v4l2_streamparm>();
  if (call(VIDIOC_G_PARM, &parameters) != 0) return;  // a driver may know no rates
  auto& capture = parameters.parm.capture;
  if (options_.rate > 0 && capture.capability & V4L2_CAP_TIMEPERFRAME) {
    capture.timeperframe = {1000, static_cast<std::uint32_t>(std::lround(1000 * std::min(options_.rate, 1000.0)))};
    if (call(VIDIOC_S_PARM, &parameters) != 0) return;
  }
  if (const v4l2_fract time = capture.timeperframe; time.numerator > 0 && time.denominator > 0)
    format_.rate = static_cast<double>(time.denominator) / time.numerator;
}

void V4l2Capture::map_buffers() {
  v4l2_requestbuffers request{};
  request.type = kCapture;
  request.memory = V4L2_MEMORY_MMAP;
  request.count = kBuffers;
  if (call(VIDIOC_REQBUFS, &request) != 0) cannot("gives no buffers", errno);
  check(request.count >= 2, options_.device, ": expected 2 buffers at least, got ", request.count);
  for (std::uint32_t i = 0; i < std::min(request.count, kBuffers); ++i) {
    v4l2_buffer buffer = empty_buffer(i);
    if (call(VIDIOC_QUERYBUF, &buffer) != 0) cannot("does not describe its buffers", errno);
    void* const memory = calls_.map(descriptor_, buffer.length, static_cast<long>(buffer.m.offset));
    if (!memory) cannot("its buffers cannot be mapped", errno);
    buffers_.push_back({memory, buffer.length});
    queue(i);
  }
}

void V4l2Capture::queue(std::uint32_t index) {
  v4l2_buffer buffer = empty_buffer(index);
  if (call(VIDIOC_QBUF, &buffer) != 0) cannot("takes no buffers", errno);
}

// False: none is ready.
bool V4l2Capture::take(v4l2_buffer& buffer) {
  buffer = empty_buffer();
  if (call(VIDIOC_DQBUF, &buffer) != 0) {
    if (errno == EAGAIN) return false;
    cannot("stopped", errno);
  }
  check(buffer.index < buffers_.size(), options_.device, ": expected one of ", buffers_.size(), " buffers, got number ",
        buffer.index);
  return true;
}

bool V4l2Capture::newest(int milliseconds, const std::function<void(const Picture&)>& use) {
  const int happened = calls_.poll(descriptor_, milliseconds);
  if (happened < 0) cannot("stopped", errno);
  if (happened == 0) return false;
  v4l2_buffer newest, later;
  if (!take(newest)) {  // announced, and not there: a driver in trouble may say so again and again
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return false;
  }
  for (std::uint32_t i = 0; i < kBuffers && take(later); ++i) {
    queue(newest.index);
    newest = later;
  }
  use(picture(newest));
  queue(newest.index);
  return true;
}

V4l2Capture::Picture V4l2Capture::picture(const v4l2_buffer& buffer) const {
  const Buffer& memory = buffers_[buffer.index];
  const std::size_t size = std::min<std::size_t>(buffer.bytesused, memory.length);
  return {{static_cast<const std::uint8_t*>(memory.memory), size},
          buffer.sequence,
          time_of(buffer),
          (buffer.flags & V4L2_BUF_FLAG_ERROR) != 0};
}

void V4l2Capture::cannot(const std::string& what, int error) const {
  fail(options_.device, ": ", what, ": ", camera_reason(error, options_.device));
}

}  // namespace fovea
