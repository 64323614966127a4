// Frames of FFmpeg as pictures, and pictures as frames to encode.
#pragma once

extern "C" {
#include <libswscale/swscale.h>
}

#include <memory>
#include <opencv2/core.hpp>

#include "datasets/video/ffmpeg.hpp"

namespace fovea::ffmpeg {

struct FreeScaler {
  void operator()(SwsContext* p) const { sws_freeContext(p); }
};
using Scaler = std::unique_ptr<SwsContext, FreeScaler>;

// How the pictures of a stream are to be shown: mirrored left to right first, then turned clockwise.
struct Turn {
  int degrees = 0;  // 0, 90, 180, 270
  bool mirrored = false;
  bool exact = true;  // else the nearest one: the file asks for an angle between them
  bool swaps_sides() const { return degrees % 180 != 0; }
  bool operator==(const Turn&) const = default;
};
// Of a display matrix (libavutil/display.h).
Turn turn_of(const std::int32_t* matrix);
cv::Mat turned(const cv::Mat& picture, const Turn& turn);

// The matrix between YCbCr and RGB where a video does not say it: BT.709 of pictures of 720 lines and more, else BT.601.
AVColorSpace usual_colours(int height);

// Frames of any pixel format to 8-bit BGR, by their colour space and range. High dynamic range is shown as it is, without tone
// mapping.
class ToPicture {
 public:
  // Throws Error where the pixel format cannot be converted.
  cv::Mat operator()(const AVFrame& frame);

 private:
  struct Format {
    int width, height, pixels, colours, full_range;  // as FFmpeg and its scaler number them
    bool chroma_is_left;  // a colour sample lies on the first of its pixels, as in MPEG-2 and later; else between them
    bool operator==(const Format&) const = default;
  };
  void prepare(const Format& format);

  Format format_{};
  Scaler scaler_;
  cv::Mat padded_;  // rows as long as the vector code likes to write them
};

// 8-bit BGR to 4:2:0 of even sides in the limited range. An odd side grows by one pixel, a copy of the last.
class FromPicture {
 public:
  explicit FromPicture(cv::Size size);
  cv::Size size() const { return even_; }
  AVColorSpace colours() const { return colours_; }
  // `frame` has room for a picture of size(); the picture has the size that the constructor was told.
  void operator()(const cv::Mat& picture, AVFrame& frame);

 private:
  cv::Size even_;
  AVColorSpace colours_;
  Scaler scaler_;
  cv::Mat padded_;
};

}  // namespace fovea::ffmpeg
