// What cameras give as pictures, and what their failures mean.
#include <cerrno>
#include <opencv2/imgproc.hpp>
#include <system_error>

#include "modules/core/error.hpp"
#include "pipeline/live/mjpeg.hpp"
#include "pipeline/live/v4l2_capture.hpp"

namespace fovea {
namespace {

// OpenCV reads only: it has no matrix over constant memory.
cv::Mat rows(const CameraFormat& format, std::span<const std::uint8_t> bytes, std::size_t from, cv::Size size, int type) {
  return cv::Mat(size, type, const_cast<std::uint8_t*>(bytes.data() + from), format.stride);
}

}  // namespace

std::string code_text(std::uint32_t code) {
  std::string text;
  for (int shift = 0; shift < 32; shift += 8) {
    const char c = static_cast<char>(code >> shift & 0xff);
    text += c > 32 && c < 127 ? c : '?';
  }
  return text;
}

cv::Mat camera_picture(const CameraFormat& format, std::span<const std::uint8_t> bytes, const std::string& name) {
  if (format.code == V4L2_PIX_FMT_MJPEG || format.code == V4L2_PIX_FMT_JPEG)
    return decode_live_jpeg(std::vector<std::uint8_t>(bytes.begin(), bytes.end()), name);
  const bool nv12 = format.code == V4L2_PIX_FMT_NV12;
  const auto height = static_cast<std::size_t>(format.size.height);
  const std::size_t needed = format.stride * (nv12 ? height + height / 2 : height);
  check(bytes.size() >= needed, name, ": expected ", needed, " bytes for a picture of ", format.size.width, "x",
        format.size.height, ", got ", bytes.size());
  cv::Mat bgr;
  if (!nv12) {
    cv::cvtColor(rows(format, bytes, 0, format.size, CV_8UC2), bgr, cv::COLOR_YUV2BGR_YUYV);
  } else {
    const cv::Mat light = rows(format, bytes, 0, format.size, CV_8UC1);
    const cv::Mat colour = rows(format, bytes, format.stride * height, format.size / 2, CV_8UC2);
    cv::cvtColorTwoPlane(light, colour, bgr, cv::COLOR_YUV2BGR_NV12);
  }
  return bgr;
}

std::string camera_reason(int error, const std::string& device) {
  switch (error) {
    case ENOENT: return "there is no such device; plug the camera in, ls /dev/video* lists what is there";
    case ENODEV:
    case ENXIO: return "the camera is gone; plug it in again";
    case EACCES:
    case EPERM: return "permission denied; join the group video (sudo usermod -aG video $USER) and log in again";
    case EBUSY: return "another program uses it; close that one (fuser -v " + device + " names it)";
    case ENOSPC: return "the USB bus has no room for so much; ask for a smaller size or rate, or use another port";
    case EIO:
    case EPROTO: return "the camera or its cable reports an error; plug it in again";
    case EISDIR: return "it is a folder, expected a device";
    default: return std::generic_category().message(error);
  }
}

}  // namespace fovea
