// Animated PNG: each frame is taken out as a PNG of its own, decoded, and laid on the canvas. https://wiki.mozilla.org/APNG_Specification
#include <algorithm>
#include <cstring>
#include <opencv2/imgproc.hpp>

#include "datasets/codecs/png_chunks.hpp"

namespace fovea::codec {
namespace {

std::uint32_t big(View bytes, std::size_t at) { return png_number(bytes.subspan(at, 4)); }

struct Frame {
  cv::Rect place;
  enum Dispose { keep, clear, restore } dispose = keep;
  bool over = false;  // blended with what is there; else it replaces that
  std::vector<View> data;
};

std::vector<Frame> frames_of(const std::vector<PngChunk>& chunks, const std::string& name) {
  std::vector<Frame> frames;
  const cv::Rect canvas(0, 0, static_cast<int>(big(chunks[0].data, 0) & 0x7fffffff),
                        static_cast<int>(big(chunks[0].data, 4) & 0x7fffffff));
  for (const PngChunk& c : chunks) {
    if (c.type == "fcTL") {
      check(c.data.size() >= 26, name, ": damaged PNG: a frame of its animation is cut off");
      std::int64_t numbers[4];  // width, height, x, y
      for (std::size_t i = 0; i < 4; ++i) numbers[i] = big(c.data, 4 + 4 * i);
      check(
          numbers[0] > 0 && numbers[1] > 0 && numbers[2] + numbers[0] <= canvas.width && numbers[3] + numbers[1] <= canvas.height,
          name, ": damaged PNG: a frame of its animation leaves the picture");
      Frame frame;
      frame.place = {static_cast<int>(numbers[2]), static_cast<int>(numbers[3]), static_cast<int>(numbers[0]),
                     static_cast<int>(numbers[1])};
      frame.dispose = static_cast<Frame::Dispose>(std::min<int>(c.data[24], Frame::restore));
      frame.over = c.data[25] == 1;
      frames.push_back(std::move(frame));
    } else if (c.type == "IDAT" && !frames.empty()) {
      frames.back().data.push_back(c.data);
    } else if (c.type == "fdAT" && !frames.empty() && c.data.size() >= 4) {
      frames.back().data.push_back(c.data.subspan(4));
    }
  }
  return frames;
}

bool is_animation(const std::vector<PngChunk>& chunks) {
  return std::any_of(chunks.begin(), chunks.end(), [](const PngChunk& c) { return c.type == "acTL"; });
}

// Everything that says how pixels are coded, then those of this frame.
Buffer as_png(const std::vector<PngChunk>& chunks, const Frame& frame) {
  Buffer file{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  for (const PngChunk& c : chunks) {
    if (c.type != "IHDR" && c.type != "PLTE" && c.type != "tRNS" && c.type != "iCCP") continue;
    Buffer data(c.data.begin(), c.data.end());
    if (c.type == "IHDR") {
      put_png_number(static_cast<std::uint32_t>(frame.place.width), data.data());
      put_png_number(static_cast<std::uint32_t>(frame.place.height), data.data() + 4);
    }
    append_png_chunk(file, c.type, data);
  }
  for (const View data : frame.data) append_png_chunk(file, "IDAT", data);
  append_png_chunk(file, "IEND", {});
  return file;
}

// As BGRA of the canvas's depth.
cv::Mat with_alpha(const cv::Mat& pixels) {
  if (pixels.channels() == 4) return pixels;
  cv::Mat out;
  cv::cvtColor(pixels, out, pixels.channels() == 1 ? cv::COLOR_GRAY2BGRA : cv::COLOR_BGR2BGRA);
  return out;
}

template <class T>
void blend(const cv::Mat& frame, cv::Mat canvas) {
  constexpr double kTop = sizeof(T) == 1 ? 255 : 65535;
  canvas.forEach<cv::Vec<T, 4>>([&](cv::Vec<T, 4>& below, const int* at) {
    const auto& above = frame.at<cv::Vec<T, 4>>(at[0], at[1]);
    const double a = above[3] / kTop, b = below[3] / kTop * (1 - a), sum = a + b;
    for (int c = 0; c < 3 && sum > 0; ++c) below[c] = cv::saturate_cast<T>((above[c] * a + below[c] * b) / sum);
    below[3] = cv::saturate_cast<T>(sum * kTop);
  });
}

}  // namespace

std::size_t count_apng_frames(View bytes, const std::string& name) {
  const std::vector<PngChunk> chunks = png_chunks(bytes, name);
  return is_animation(chunks) ? std::max<std::size_t>(frames_of(chunks, name).size(), 1) : 1;
}

Decoded decode_apng_frame(View bytes, const std::string& name, std::size_t wanted) {
  const std::vector<PngChunk> chunks = png_chunks(bytes, name);
  const std::vector<Frame> frames = frames_of(chunks, name);
  Decoded out;
  cv::Mat canvas, before;
  bool grey = true;
  for (std::size_t i = 0; i <= wanted; ++i) {
    const Frame& frame = frames.at(i);
    Decoded decoded = decode_png(as_png(chunks, frame), name);
    const cv::Mat pixels = with_alpha(decoded.image.pixels);
    grey = grey && decoded.image.grey;
    if (i == 0) {
      const int width = static_cast<int>(big(chunks[0].data, 0)), height = static_cast<int>(big(chunks[0].data, 4));
      check_size(width, height, name, static_cast<std::int64_t>(bytes.size()) * 1032 * 8);
      canvas = cv::Mat::zeros(height, width, pixels.type());
      out = std::move(decoded);
    }
    if (frame.dispose == Frame::restore) before = canvas(frame.place).clone();
    cv::Mat place = canvas(frame.place);
    if (!frame.over) pixels.copyTo(place);
    else if (pixels.depth() == CV_8U) blend<std::uint8_t>(pixels, place);
    else blend<std::uint16_t>(pixels, place);
    if (i == wanted) break;
    if (frame.dispose == Frame::clear || (frame.dispose == Frame::restore && i == 0)) place.setTo(cv::Scalar::all(0));
    else if (frame.dispose == Frame::restore) before.copyTo(place);
  }
  cv::Mat alpha;
  cv::extractChannel(canvas, alpha, 3);
  const double opaque = canvas.depth() == CV_8U ? 255 : 65535;
  if (cv::countNonZero(alpha != opaque) == 0) cv::cvtColor(canvas, canvas, grey ? cv::COLOR_BGRA2GRAY : cv::COLOR_BGRA2BGR);
  out.image.pixels = canvas;
  out.image.grey = grey;
  out.orientation = png_orientation(chunks);
  return out;
}

}  // namespace fovea::codec
