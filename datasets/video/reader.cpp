#include "datasets/video/reader.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>

#include "datasets/video/stream.hpp"
#include "datasets/video/timing.hpp"
#include "modules/core/error.hpp"
#include "modules/io/files.hpp"

namespace fovea {
namespace {

using ffmpeg::Input;
using Clock = std::chrono::steady_clock;

// So many packets in a row without a frame are the work of somebody who wants us to read for ever.
constexpr std::int64_t kMostInVain = 200'000, kMostWhileDraining = 100;

std::string packets(std::int64_t n) { return n == 1 ? "1 packet" : std::to_string(n) + " packets"; }

Timing timing_of(const VideoFacts& facts) {
  const double ticks = static_cast<double>(facts.time_base.denominator) / facts.time_base.numerator;  // a second
  const double rate = facts.frame_rate > 0 && facts.frame_rate < 1e4 ? facts.frame_rate : 25;
  return {static_cast<std::int64_t>(ticks), static_cast<std::int64_t>(std::llround(ticks / rate))};
}

}  // namespace

class VideoReader::Impl {
 public:
  Impl(const std::string& source, const VideoOptions& options)
      : stop_(options.stop),
        most_pixels_(options.most_pixels),
        input_(source, options),
        video_(ffmpeg::video_stream_of(input_)),
        facts_(ffmpeg::facts_of(input_, *video_.stream)),
        decoder_(ffmpeg::decoder_of(input_, video_, options)),
        packet_(ffmpeg::allocated(av_packet_alloc())),
        shown_{ffmpeg::Frame(ffmpeg::allocated(av_frame_alloc())), {}},
        ahead_{ffmpeg::Frame(ffmpeg::allocated(av_frame_alloc())), ffmpeg::turn_of(*video_.stream)},
        timing_(timing_of(facts_)) {}

  const VideoFacts& facts() const { return facts_; }
  const std::string& name() const { return input_.name(); }
  std::int64_t lost() const { return damaged_; }

  std::optional<VideoFrame> decode(const std::atomic<bool>* stop);

  cv::Mat image() {
    check(has_picture_, name(), ": no frame to make a picture of");
    const PathScope where(name());
    return ffmpeg::turned(to_picture_(*shown_.frame), shown_.turn);
  }

  std::vector<std::string> notes() const;

 private:
  // What the decoder gave, and how it is to be turned.
  struct Held {
    ffmpeg::Frame frame;
    ffmpeg::Turn turn;
  };

  std::optional<VideoFrame> receive(const std::atomic<bool>* stop);
  void look_ahead(const std::atomic<bool>* stop);
  bool is_within_limit(const AVFrame& frame) const { return std::int64_t{frame.width} * frame.height <= most_pixels_; }
  bool is_stopped(const std::atomic<bool>* stop) const { return (stop && *stop) || (stop_ && *stop_); }
  VideoFrame accept();
  void feed(const std::atomic<bool>* stop);
  void send(const AVPacket* packet);
  void damaged(int error);
  void end();
  bool is_cut() const;
  void look_at(const AVFrame& frame);

  const std::atomic<bool>* stop_;
  const std::int64_t most_pixels_;
  Input input_;
  ffmpeg::VideoStream video_;
  VideoFacts facts_;
  ffmpeg::CodecContext decoder_;
  ffmpeg::Packet packet_;
  Held shown_, ahead_;
  std::optional<VideoFrame> next_;  // what ahead_ holds
  std::exception_ptr failure_;      // of looking ahead
  std::int64_t step_ = 0;           // between the last two frames
  ffmpeg::ToPicture to_picture_;
  Timing timing_;
  Clock::time_point received_ = Clock::now();
  std::int64_t packets_ = 0, damaged_ = 0, incomplete_ = 0, frames_ = 0, in_vain_ = 0;
  double end_ = 0;  // of what has been read, in seconds of the file
  bool draining_ = false, ended_ = false, has_picture_ = false, given_up_ = false;
  bool ends_short_ = false;  // the last packet is not whole
  bool changes_size_ = false, interlaced_ = false, wide_range_ = false;
  std::string damage_;  // what FFmpeg said of the first one
};

std::optional<VideoFrame> VideoReader::Impl::decode(const std::atomic<bool>* stop) {
  has_picture_ = false;
  if (is_stopped(stop)) {
    ended_ = true;
    next_.reset();
    return std::nullopt;
  }
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  std::optional<VideoFrame> frame = next_ ? std::exchange(next_, std::nullopt) : receive(stop);
  if (!frame) return std::nullopt;
  std::swap(shown_.frame, ahead_.frame);
  shown_.turn = ahead_.turn;
  has_picture_ = true;
  if (input_.is_address()) return frame;
  // What FFmpeg calls the duration of a frame is often a guess by the frame rate; the next frame knows.
  look_ahead(stop);
  if (next_) step_ = next_->pts - frame->pts;
  if (step_ > 0) frame->duration = step_;
  return frame;
}

// An error belongs to the next frame: this one is whole.
void VideoReader::Impl::look_ahead(const std::atomic<bool>* stop) {
  try {
    next_ = receive(stop);
  } catch (const std::exception&) { failure_ = std::current_exception(); }
}

std::optional<VideoFrame> VideoReader::Impl::receive(const std::atomic<bool>* stop) {
  while (!ended_ && !is_stopped(stop)) {
    const int error = avcodec_receive_frame(decoder_.get(), ahead_.frame.get());
    if (error == 0 && is_within_limit(*ahead_.frame)) return accept();
    if (error == AVERROR_EOF) end();
    else if (error == AVERROR(EAGAIN)) feed(stop);
    else damaged(error < 0 ? error : AVERROR_INVALIDDATA);
  }
  return std::nullopt;
}

VideoFrame VideoReader::Impl::accept() {
  const AVFrame& frame = *ahead_.frame;
  ++frames_;
  in_vain_ = 0;
  look_at(frame);
  std::optional<std::int64_t> stamp;
  if (frame.best_effort_timestamp != AV_NOPTS_VALUE) stamp = frame.best_effort_timestamp;
  VideoFrame out;
  out.duration = ffmpeg::duration_of(frame);
  out.pts = timing_.place(stamp, out.duration);
  out.seconds = facts_.time_base.seconds(out.pts);
  out.received = received_;
  return out;
}

// What the notes tell, and the turn, which a frame may bring itself.
void VideoReader::Impl::look_at(const AVFrame& frame) {
  const AVFrameSideData* side = av_frame_get_side_data(&frame, AV_FRAME_DATA_DISPLAYMATRIX);
  if (side && side->size >= 9 * sizeof(std::int32_t))
    ahead_.turn = ffmpeg::turn_of(reinterpret_cast<const std::int32_t*>(side->data));
  cv::Size size(frame.width, frame.height);
  if (ahead_.turn.swaps_sides()) std::swap(size.width, size.height);
  changes_size_ = changes_size_ || size != facts_.size;
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
  interlaced_ = interlaced_ || (frame.flags & AV_FRAME_FLAG_INTERLACED);
#else
  interlaced_ = interlaced_ || frame.interlaced_frame;
#endif
  const int curve = ffmpeg::number_of(frame.color_trc);
  wide_range_ = wide_range_ || curve == AVCOL_TRC_SMPTE2084 || curve == AVCOL_TRC_ARIB_STD_B67;
  if (frame.decode_error_flags != 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT)) ++incomplete_;
}

void VideoReader::Impl::feed(const std::atomic<bool>* stop) {
  const Input::Read read = input_.read(*packet_, stop);
  if (read == Input::Read::stopped) {
    ended_ = true;
  } else if (read == Input::Read::end) {
    draining_ = true;
    in_vain_ = 0;
    send(nullptr);
  } else if (read == Input::Read::damaged) {
    damaged(AVERROR_INVALIDDATA);
  } else {
    const AVStream& stream = *input_.context().streams[packet_->stream_index];
    const std::int64_t from = packet_->pts != AV_NOPTS_VALUE ? packet_->pts : packet_->dts;
    if (from != AV_NOPTS_VALUE)
      end_ = std::max(end_, (static_cast<double>(from) + static_cast<double>(packet_->duration)) * av_q2d(stream.time_base));
    if (packet_->stream_index == video_.stream->index) {
      received_ = Clock::now();
      ++packets_;
      send(packet_.get());
    }
    ends_short_ = (packet_->flags & AV_PKT_FLAG_CORRUPT) != 0;
    av_packet_unref(packet_.get());
  }
}

void VideoReader::Impl::send(const AVPacket* packet) {
  const int error = avcodec_send_packet(decoder_.get(), packet);
  if (error < 0 && error != AVERROR_EOF) damaged(error);
  else if (++in_vain_ > kMostInVain) given_up_ = true, end();
}

void VideoReader::Impl::damaged(int error) {
  if (error == AVERROR(ENOMEM)) throw FileError(name() + ": cannot be decoded: not enough memory", ENOMEM);
  if (damaged_++ == 0) damage_ = ffmpeg::last_message();
  if (++in_vain_ > (draining_ ? kMostWhileDraining : kMostInVain)) given_up_ = !draining_, end();
}

void VideoReader::Impl::end() {
  ended_ = true;
  if (frames_ > 0) return;
  const std::string what = packets_ == 0 ? "" : ": none of its " + packets(packets_) + " can be decoded";
  fail(name(), packets_ == 0 ? ": no frame in it" : ": damaged", what, damage_.empty() ? "" : ": ", damage_);
}

// What demuxers say of a file that ends too early differs: an error, half a packet, or nothing but fewer packets or less time
// than announced.
bool VideoReader::Impl::is_cut() const {
  if (input_.is_cut() || ends_short_) return true;
  // The index of MP4 lists what is to be read, without what edit lists leave out. That of AVI lists empty packets, too; others
  // list some.
  if (facts_.container.find("mp4") != std::string::npos) return packets_ < avformat_index_get_entries_count(video_.stream);
  const AVFormatContext& context = input_.context();
  return context.duration_estimation_method == AVFMT_DURATION_FROM_STREAM &&
         end_ < static_cast<double>(context.duration) / AV_TIME_BASE - 0.5;
}

std::vector<std::string> VideoReader::Impl::notes() const {
  std::vector<std::string> out;
  if (damaged_)
    out.push_back(packets(damaged_) + (damaged_ == 1 ? " was" : " were") + " damaged and left out" +
                  (damage_.empty() ? "" : " (" + damage_ + ")"));
  if (incomplete_)
    out.push_back(std::to_string(incomplete_) + (incomplete_ == 1 ? " frame is" : " frames are") + " damaged in part");
  if (given_up_) out.emplace_back("reading was given up: too many packets without a frame");
  else if (draining_ && is_cut()) out.emplace_back("the file ends in the middle");
  if (facts_.has_times)
    for (std::string& note : timing_.notes()) out.push_back(std::move(note));
  if (changes_size_) out.emplace_back("the size of the frames changes");
  if (interlaced_) out.emplace_back("interlaced: the two fields of a frame are shown as they are");
  if (wide_range_) out.emplace_back("high dynamic range: shown without tone mapping");
  if (!ahead_.turn.exact)
    out.emplace_back("to be turned by an angle that is no multiple of 90 degrees: turned by the nearest one");
  return out;
}

VideoReader::VideoReader(const std::string& source, const VideoOptions& options)
    : impl_(std::make_unique<Impl>(source, options)) {}
VideoReader::~VideoReader() = default;
VideoReader::VideoReader(VideoReader&&) noexcept = default;
VideoReader& VideoReader::operator=(VideoReader&&) noexcept = default;

const VideoFacts& VideoReader::facts() const { return impl_->facts(); }
const std::string& VideoReader::name() const { return impl_->name(); }
std::optional<VideoFrame> VideoReader::decode(const std::atomic<bool>* stop) { return impl_->decode(stop); }
cv::Mat VideoReader::image() { return impl_->image(); }
std::int64_t VideoReader::lost() const { return impl_->lost(); }
std::vector<std::string> VideoReader::notes() const { return impl_->notes(); }

std::optional<VideoFrame> VideoReader::next(const std::atomic<bool>* stop) {
  std::optional<VideoFrame> frame = impl_->decode(stop);
  if (frame) frame->image = impl_->image();
  return frame;
}

}  // namespace fovea
