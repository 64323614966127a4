#include "datasets/video/writer.hpp"

extern "C" {
#include <libavutil/opt.h>
}

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <deque>
#include <limits>
#include <optional>

#include "datasets/video/audio_copy.hpp"
#include "datasets/video/picture.hpp"
#include "modules/core/error.hpp"
#include "modules/io/files.hpp"
#include "modules/io/output_file.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr double kUsualRate = 25;

// FFmpeg's name of the container that a file name asks for.
const char* container_of(const fs::path& file) {
  std::string extension = file.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  check(extension == ".mp4" || extension == ".mkv", file.string(), ": expected the name of a video, ending in .mp4 or .mkv");
  return extension == ".mp4" ? "mp4" : "matroska";
}

const AVCodec* encoder_of(const std::string& wanted, const std::string& file) {
  const AVCodec* found = nullptr;
  for (const char* name : {"libx264", "mpeg4"})
    if (!found && (wanted.empty() || wanted == name)) found = avcodec_find_encoder_by_name(name);
  if (wanted.empty()) check(found, file, ": cannot write: the FFmpeg on this machine has neither libx264 nor mpeg4");
  check(found, file, ": expected the encoder libx264 or mpeg4, as far as the FFmpeg on this machine has it, got ", wanted);
  return found;
}

void check_settings(const VideoWriterSettings& s, const std::string& file) {
  check(s.size.width > 0 && s.size.height > 0 && s.size.width <= 16384 && s.size.height <= 16384, file,
        ": expected frames of 1 to 16384 pixels a side, got ", s.size.width, "x", s.size.height);
  check(s.time_base.numerator > 0 && s.time_base.denominator > 0, file, ": expected a time base over 0, got ",
        s.time_base.numerator, "/", s.time_base.denominator);
  check(s.crf >= 0 && s.crf <= 51, file, ": expected a crf of 0 to 51, got ", s.crf);
  // x264 itself would complain to the terminal.
  constexpr const char* kPresets[] = {"ultrafast", "superfast", "veryfast", "faster",   "fast",
                                      "medium",    "slow",      "slower",   "veryslow", "placebo"};
  const bool known = std::any_of(std::begin(kPresets), std::end(kPresets), [&](const char* p) { return s.preset == p; });
  check(known, file, ": expected a preset of x264, ultrafast to veryslow, got ", s.preset);
  check(s.frame_rate >= 0 && s.frame_rate < 1e5, file, ": expected a frame rate of 0 to 100000, got ", s.frame_rate);
  check(s.sample_aspect > 0.001 && s.sample_aspect < 1000, file, ": expected pixels 0.001 to 1000 times as wide as high, got ",
        s.sample_aspect);
  check(s.threads >= 1, file, ": expected 1 thread or more, got ", s.threads);
}

// Before anything is made.
std::string checked_name(const fs::path& file, const VideoWriterSettings& settings) {
  ffmpeg::listen();
  container_of(file);
  check_settings(settings, file.string());
  return file.string();
}

}  // namespace

class VideoWriter::Impl {
 public:
  Impl(const fs::path& file, const VideoWriterSettings& settings);
  void write(const cv::Mat& image, std::int64_t pts, std::int64_t duration);
  void finish(bool whole);
  std::vector<std::string> notes() const;

 private:
  struct Shown {
    std::int64_t pts, duration;
  };

  void open_encoder();
  void open_container();
  void set_colours(AVCodecContext& encoder) const;
  std::int64_t in_encoder(std::int64_t ticks) const { return av_rescale_q(ticks, given_, encoder_->time_base); }
  std::int64_t duration_of(std::int64_t pts, std::int64_t given);
  void encode(const AVFrame* frame);
  void pass_on(AVPacket& packet);
  void need(int error) const;

  const std::string name_;
  const VideoWriterSettings settings_;
  const AVRational given_;
  OutputFile file_;
  const AVCodec* codec_;
  ffmpeg::FromPicture from_picture_;
  ffmpeg::OutputContext context_;
  ffmpeg::CodecContext encoder_;
  ffmpeg::Frame frame_;
  ffmpeg::Packet packet_;
  AVStream* stream_ = nullptr;  // the context's
  std::optional<ffmpeg::AudioCopy> audio_;
  std::deque<Shown> shown_;  // what the encoder holds
  std::optional<std::int64_t> last_, last_in_encoder_;
  std::int64_t last_step_ = 0, shift_ = 0;
  double end_ = 0;  // of the last frame, in seconds
  bool finished_ = false;
};

VideoWriter::Impl::Impl(const fs::path& file, const VideoWriterSettings& settings)
    : name_(checked_name(file, settings)),
      settings_(settings),
      given_{settings.time_base.numerator, settings.time_base.denominator},
      file_(file),
      codec_(encoder_of(settings.encoder, name_)),
      from_picture_(settings.size),
      frame_(ffmpeg::allocated(av_frame_alloc())),
      packet_(ffmpeg::allocated(av_packet_alloc())) {
  AVFormatContext* context = nullptr;
  need(avformat_alloc_output_context2(&context, nullptr, container_of(file), nullptr));
  context_.reset(context);
  open_encoder();
  frame_->format = encoder_->pix_fmt;
  frame_->width = encoder_->width;
  frame_->height = encoder_->height;
  open_container();
}

void VideoWriter::Impl::set_colours(AVCodecContext& encoder) const {
  const bool hd = from_picture_.colours() == AVCOL_SPC_BT709;
  encoder.colorspace = from_picture_.colours();
  encoder.color_range = AVCOL_RANGE_MPEG;
  encoder.color_primaries = hd ? AVCOL_PRI_BT709 : AVCOL_PRI_SMPTE170M;
  encoder.color_trc = hd ? AVCOL_TRC_BT709 : AVCOL_TRC_SMPTE170M;
  encoder.chroma_sample_location = AVCHROMA_LOC_LEFT;
}

void VideoWriter::Impl::open_encoder() {
  encoder_.reset(ffmpeg::allocated(avcodec_alloc_context3(codec_)));
  AVCodecContext& encoder = *encoder_;
  encoder.width = from_picture_.size().width;
  encoder.height = from_picture_.size().height;
  encoder.pix_fmt = AV_PIX_FMT_YUV420P;
  encoder.sample_aspect_ratio = av_d2q(settings_.sample_aspect, 1000);
  encoder.time_base = given_;
  encoder.thread_count = settings_.threads;
  encoder.framerate = av_d2q(settings_.frame_rate > 0 ? settings_.frame_rate : kUsualRate, 100000);
  set_colours(encoder);
  if (context_->oformat->flags & AVFMT_GLOBALHEADER) encoder.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  ffmpeg::Options options;
  if (codec_->id == AV_CODEC_ID_H264) {
    options.set("crf", std::to_string(settings_.crf));
    options.set("preset", settings_.preset);
  } else {
    // MPEG-4 counts time in 16 bits, and knows a quantiser of 1 to 31 in the place of the crf.
    constexpr int kMostTicks = 65535;
    if (given_.den > kMostTicks) encoder.time_base = {1, 60000};
    encoder.flags |= AV_CODEC_FLAG_QSCALE;
    encoder.global_quality = FF_QP2LAMBDA * std::clamp(settings_.crf / 5, 1, 31);
  }
  if (const int error = avcodec_open2(&encoder, codec_, options.get()); error < 0)
    fail(name_, ": cannot write: ", codec_->name, " refuses these settings: ", ffmpeg::reason(error));
}

void VideoWriter::Impl::open_container() {
  AVFormatContext& context = *context_;
  stream_ = ffmpeg::allocated(avformat_new_stream(&context, nullptr));
  stream_->time_base = encoder_->time_base;
  if (settings_.frame_rate > 0) stream_->avg_frame_rate = encoder_->framerate;
  stream_->sample_aspect_ratio = encoder_->sample_aspect_ratio;
  need(avcodec_parameters_from_context(stream_->codecpar, encoder_.get()));
  if (!settings_.audio_from.empty()) audio_.emplace(settings_.audio_from, context);
  const std::string url = "file:" + file_.temporary().string();
  // Read again where the index moves to the front.
  context.url = ffmpeg::allocated(av_strdup(url.c_str()));
  need(avio_open(&context.pb, url.c_str(), AVIO_FLAG_WRITE));
  ffmpeg::Options options;
  options.set("movflags", "+faststart");
  need(avformat_write_header(&context, options.get()));
}

// What the machine refused is a FileError, so that a full disk is known for what it is.
void VideoWriter::Impl::need(int error) const {
  const AVIOContext* stream = context_ ? context_->pb : nullptr;
  if (stream && stream->error < 0) error = stream->error;
  if (error >= 0) return;
  const std::string text = name_ + ": cannot write: " + ffmpeg::reason(error);
  const int code = ffmpeg::system_error(error);
  if (code != 0 && code != EINVAL) throw FileError(text, code);
  raise(text);
}

// A frame without a duration lasts as long as the one before, the first one as the frame rate says.
std::int64_t VideoWriter::Impl::duration_of(std::int64_t pts, std::int64_t given) {
  if (last_) last_step_ = pts - *last_;
  if (given > 0) return given;
  if (last_step_ > 0) return last_step_;
  const double rate = settings_.frame_rate > 0 ? settings_.frame_rate : kUsualRate;
  return std::max<std::int64_t>(std::llround(1 / (rate * settings_.time_base.seconds(1))), 1);
}

void VideoWriter::Impl::write(const cv::Mat& image, std::int64_t pts, std::int64_t duration) {
  check(!finished_, name_, ": cannot write: the video is finished");
  check(image.type() == CV_8UC3 && image.size() == settings_.size, name_, ": expected a frame of ", settings_.size.width, "x",
        settings_.size.height, " in 8-bit BGR, got ", image.cols, "x", image.rows,
        image.type() == CV_8UC3 ? "" : " of another kind");
  constexpr std::int64_t kFarthest = std::int64_t{1} << 52;  // beyond it, containers run over
  check(pts > -kFarthest && pts < kFarthest && duration < kFarthest, name_, ": expected a time stamp within 2^52 ticks, got ",
        pts);
  check(!last_ || pts > *last_, name_, ": expected a time stamp over ", last_.value_or(0), ", got ", pts);
  need(frame_->buf[0] ? av_frame_make_writable(frame_.get()) : av_frame_get_buffer(frame_.get(), 0));
  from_picture_(image, *frame_);
  // Containers cut off what lies before 0.
  if (!last_ && pts < 0) {
    shift_ = -pts;
    if (audio_) audio_->shift(shift_, given_);
  }
  const std::int64_t lasts = duration_of(pts, duration);
  last_ = pts;
  end_ = settings_.time_base.seconds(pts + lasts);
  frame_->pts = in_encoder(pts + shift_);
  // Coarser ticks may fall together.
  if (last_in_encoder_) frame_->pts = std::max(frame_->pts, *last_in_encoder_ + 1);
  last_in_encoder_ = frame_->pts;
  frame_->quality = encoder_->global_quality;
  frame_->pict_type = AV_PICTURE_TYPE_NONE;
  shown_.push_back({frame_->pts, std::max<std::int64_t>(in_encoder(lasts), 1)});
  encode(frame_.get());
}

void VideoWriter::Impl::encode(const AVFrame* frame) {
  if (const int error = avcodec_send_frame(encoder_.get(), frame); error < 0)
    fail(name_, ": a frame cannot be encoded: ", ffmpeg::reason(error));
  for (;;) {
    const int error = avcodec_receive_packet(encoder_.get(), packet_.get());
    if (error == AVERROR(EAGAIN) || error == AVERROR_EOF) return;
    if (error < 0) fail(name_, ": a frame cannot be encoded: ", ffmpeg::reason(error));
    pass_on(*packet_);
  }
}

void VideoWriter::Impl::pass_on(AVPacket& packet) {
  const auto of = std::find_if(shown_.begin(), shown_.end(), [&](const Shown& s) { return s.pts == packet.pts; });
  if (of != shown_.end()) {
    packet.duration = of->duration;
    shown_.erase(of);
  }
  const double from = static_cast<double>(packet.dts) * av_q2d(encoder_->time_base) - settings_.time_base.seconds(shift_);
  if (audio_) need(audio_->copy_until(from));
  packet.stream_index = stream_->index;
  av_packet_rescale_ts(&packet, encoder_->time_base, stream_->time_base);
  need(av_interleaved_write_frame(context_.get(), &packet));
}

void VideoWriter::Impl::finish(bool whole) {
  check(!finished_, name_, ": cannot write: the video is finished");
  check(last_.has_value(), name_, ": cannot write: a video without a frame");
  finished_ = true;
  encode(nullptr);
  if (audio_) need(audio_->copy_until(whole ? std::numeric_limits<double>::infinity() : end_));
  need(av_write_trailer(context_.get()));
  const int error = avio_closep(&context_->pb);
  need(error);
  file_.keep();
}

std::vector<std::string> VideoWriter::Impl::notes() const {
  std::vector<std::string> out;
  if (codec_->id != AV_CODEC_ID_H264)
    out.emplace_back(std::string("written as MPEG-4 Part 2") +
                     (settings_.encoder.empty() ? ": the FFmpeg on this machine has no libx264" : ""));
  if (from_picture_.size() != settings_.size)
    out.push_back("written as " + std::to_string(from_picture_.size().width) + "x" + std::to_string(from_picture_.size().height) +
                  ": an odd side grows by a copy of its last pixels");
  if (audio_) out.insert(out.end(), audio_->notes().begin(), audio_->notes().end());
  return out;
}

VideoWriter::VideoWriter(const fs::path& file, const VideoWriterSettings& settings)
    : impl_(std::make_unique<Impl>(file, settings)) {}
VideoWriter::~VideoWriter() = default;
VideoWriter::VideoWriter(VideoWriter&&) noexcept = default;
VideoWriter& VideoWriter::operator=(VideoWriter&&) noexcept = default;

void VideoWriter::write(const cv::Mat& image, std::int64_t pts, std::int64_t duration) { impl_->write(image, pts, duration); }
void VideoWriter::finish(bool whole) { impl_->finish(whole); }
std::vector<std::string> VideoWriter::notes() const { return impl_->notes(); }

}  // namespace fovea
