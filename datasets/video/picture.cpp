#include "datasets/video/picture.hpp"

extern "C" {
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "modules/core/error.hpp"

namespace fovea::ffmpeg {
namespace {

// Colour is interpolated between its samples, and sums are rounded: within a level of the formula.
constexpr int kQuality = SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP;

// The old formats of JPEG's range are the plain ones with a range of their own.
AVPixelFormat plain(int format) {
  switch (format) {
    case AV_PIX_FMT_YUVJ420P: return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P: return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P: return AV_PIX_FMT_YUV444P;
    case AV_PIX_FMT_YUVJ440P: return AV_PIX_FMT_YUV440P;
    case AV_PIX_FMT_YUVJ411P: return AV_PIX_FMT_YUV411P;
    default: return static_cast<AVPixelFormat>(format);
  }
}

int scaler_colours(int space) {
  switch (space) {
    case AVCOL_SPC_BT709: return SWS_CS_ITU709;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL: return SWS_CS_BT2020;
    case AVCOL_SPC_SMPTE240M: return SWS_CS_SMPTE240M;
    case AVCOL_SPC_FCC: return SWS_CS_FCC;
    default: return SWS_CS_ITU601;
  }
}

bool is_known(int space) {
  switch (space) {
    case AVCOL_SPC_BT709:
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
    case AVCOL_SPC_SMPTE240M:
    case AVCOL_SPC_FCC: return true;
    default: return false;
  }
}

// Vector code reads and writes whole blocks of pixels, beyond the end of a row.
constexpr int kBlock = 32;

// Plain RGB has the full range whatever a file says, as sws_setColorspaceDetails wants it.
bool has_full_range(const AVFrame& frame, AVPixelFormat format) {
  const AVPixFmtDescriptor* about = av_pix_fmt_desc_get(format);
  return number_of(frame.color_range) == AVCOL_RANGE_JPEG || format != frame.format ||
         (about && (about->flags & AV_PIX_FMT_FLAG_RGB));
}

// Between pictures of the same size. None where FFmpeg has no way from the one format to the other.
Scaler scaler_of(cv::Size size, int from, int to) {
  Scaler scaler(allocated(sws_alloc_context()));
  const std::pair<const char*, int> numbers[] = {{"srcw", size.width},   {"srch", size.height}, {"dstw", size.width},
                                                 {"dsth", size.height},  {"src_format", from},  {"dst_format", to},
                                                 {"sws_flags", kQuality}};
  for (const auto& [name, value] : numbers) av_opt_set_int(scaler.get(), name, value, 0);
  return scaler;
}

// Gives whether it can be done.
bool start(SwsContext* scaler, int colours, bool from_full, bool to_full) {
  const int* table = sws_getCoefficients(colours);
  // Formats without a matrix refuse: they need none.
  sws_setColorspaceDetails(scaler, table, from_full, table, to_full, 0, 1 << 16, 1 << 16);
  return sws_init_context(scaler, nullptr, nullptr) >= 0;
}

}  // namespace

Turn turn_of(const std::int32_t* matrix) {
  double a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
  Turn turn;
  turn.mirrored = a * d - b * c < 0;
  if (turn.mirrored) a = -a, b = -b;
  if (a == 0 && b == 0) return {};
  const double quarters = std::atan2(b, a) / (CV_PI / 2);
  const double nearest = std::round(quarters);
  turn.degrees = (static_cast<int>(nearest) + 4) % 4 * 90;
  turn.exact = std::abs(quarters - nearest) < 0.01;
  return turn;
}

cv::Mat turned(const cv::Mat& picture, const Turn& turn) {
  cv::Mat out = picture;
  if (turn.mirrored) cv::flip(picture, out, 1);
  if (turn.degrees == 0) return out;
  cv::Mat rotated;
  cv::rotate(out, rotated,
             turn.degrees == 90    ? cv::ROTATE_90_CLOCKWISE
             : turn.degrees == 180 ? cv::ROTATE_180
                                   : cv::ROTATE_90_COUNTERCLOCKWISE);
  return rotated;
}

AVColorSpace usual_colours(int height) { return height >= 720 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M; }

void ToPicture::prepare(const Format& format) {
  if (scaler_ && format == format_) return;
  scaler_ = scaler_of({format.width, format.height}, format.pixels, AV_PIX_FMT_BGR24);
  if (format.chroma_is_left) av_opt_set_int(scaler_.get(), "src_h_chr_pos", 0, 0);
  if (!start(scaler_.get(), format.colours, format.full_range != 0, true)) {
    scaler_.reset();
    const char* name = av_get_pix_fmt_name(static_cast<AVPixelFormat>(format.pixels));
    fail("a frame of ", format.width, "x", format.height, ": pixels of the format ", name ? name : "?", " cannot be shown");
  }
  format_ = format;
}

cv::Mat ToPicture::operator()(const AVFrame& frame) {
  const AVPixelFormat pixels = plain(frame.format);
  const int said = number_of(frame.colorspace), space = is_known(said) ? said : usual_colours(frame.height);
  const AVPixFmtDescriptor* about = av_pix_fmt_desc_get(pixels);
  const bool is_left = about && about->log2_chroma_w > 0 && number_of(frame.chroma_location) != AVCHROMA_LOC_CENTER;
  prepare({frame.width, frame.height, pixels, scaler_colours(space), has_full_range(frame, pixels), is_left});
  const bool fits = frame.width % kBlock == 0;
  cv::Mat out(frame.height, frame.width, CV_8UC3);
  if (!fits) padded_.create(frame.height + 1, (frame.width + 2 * kBlock - 1) / kBlock * kBlock, CV_8UC3);
  cv::Mat& target = fits ? out : padded_;
  std::uint8_t* const planes[] = {target.data, nullptr, nullptr, nullptr};
  const int strides[] = {static_cast<int>(target.step), 0, 0, 0};
  const int lines = sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, planes, strides);
  check(lines == frame.height, "a frame of ", frame.width, "x", frame.height, ": it cannot be converted");
  if (!fits) padded_(cv::Rect(0, 0, frame.width, frame.height)).copyTo(out);
  return out;
}

FromPicture::FromPicture(cv::Size size)
    : even_((size.width + 1) / 2 * 2, (size.height + 1) / 2 * 2), colours_(usual_colours(even_.height)) {
  scaler_ = scaler_of(even_, AV_PIX_FMT_BGR24, AV_PIX_FMT_YUV420P);
  av_opt_set_int(scaler_.get(), "dst_h_chr_pos", 0, 0);
  check(start(scaler_.get(), scaler_colours(colours_), true, false), "a video of ", even_.width, "x", even_.height,
        ": its frames cannot be converted");
  padded_.create(even_.height + 1, even_.width + kBlock, CV_8UC3);
}

void FromPicture::operator()(const cv::Mat& picture, AVFrame& frame) {
  cv::Mat source = padded_(cv::Rect({0, 0}, even_));
  cv::copyMakeBorder(picture, source, 0, even_.height - picture.rows, 0, even_.width - picture.cols, cv::BORDER_REPLICATE);
  const std::uint8_t* const planes[] = {source.data, nullptr, nullptr, nullptr};
  const int strides[] = {static_cast<int>(source.step), 0, 0, 0};
  const int lines = sws_scale(scaler_.get(), planes, strides, 0, source.rows, frame.data, frame.linesize);
  check(lines == source.rows, "a frame of ", even_.width, "x", even_.height, ": it cannot be converted");
}

}  // namespace fovea::ffmpeg
