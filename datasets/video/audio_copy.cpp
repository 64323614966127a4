#include "datasets/video/audio_copy.hpp"

#include <algorithm>

namespace fovea::ffmpeg {
namespace {

constexpr int kMostDamaged = 10'000;  // places of a source that cannot be read

// Beyond it nothing is a time; sums of some stay whole numbers.
bool is_time(std::int64_t ticks) {
  constexpr std::int64_t kFarthest = std::int64_t{1} << 60;
  return ticks > -kFarthest && ticks < kFarthest;
}

}  // namespace

AudioCopy::AudioCopy(const std::filesystem::path& source, AVFormatContext& out)
    : input_(source.string(), {}), out_(out), pending_(allocated(av_packet_alloc())) {
  const AVFormatContext& context = input_.context();
  int number = 0;
  for (unsigned i = 0; i < context.nb_streams; ++i) {
    AVStream& from = *context.streams[i];
    tracks_.emplace_back();
    from.discard = AVDISCARD_ALL;
    if (from.codecpar->codec_type == AVMEDIA_TYPE_AUDIO) add_track(from, "audio stream " + std::to_string(++number));
    if (tracks_.back().to) from.discard = AVDISCARD_DEFAULT;
  }
  ended_ = std::none_of(tracks_.begin(), tracks_.end(), [](const Track& t) { return t.to != nullptr; });
}

void AudioCopy::add_track(const AVStream& from, const std::string& name) {
  const AVCodecParameters& parameters = *from.codecpar;
  if (avformat_query_codec(out_.oformat, parameters.codec_id, FF_COMPLIANCE_NORMAL) != 1) {
    notes_.push_back(name + " is left out: " + out_.oformat->name + " takes no " + avcodec_get_name(parameters.codec_id));
    return;
  }
  AVStream* to = allocated(avformat_new_stream(&out_, nullptr));
  if (avcodec_parameters_copy(to->codecpar, &parameters) < 0) throw std::bad_alloc();
  to->codecpar->codec_tag = 0;  // each container has its own
  to->time_base = from.time_base;
  to->disposition = from.disposition;
  av_dict_copy(&to->metadata, from.metadata, 0);
  tracks_.back().to = to;
}

// The next packet of a stream that is copied, with both time stamps.
void AudioCopy::fetch() {
  while (!has_pending_ && !ended_) {
    const Input::Read read = input_.read(*pending_, nullptr);
    ended_ =
        read == Input::Read::end || read == Input::Read::stopped || (read == Input::Read::damaged && ++damaged_ > kMostDamaged);
    if (read != Input::Read::packet) continue;
    AVPacket& packet = *pending_;
    has_pending_ = static_cast<std::size_t>(packet.stream_index) < tracks_.size() &&
                   tracks_[static_cast<std::size_t>(packet.stream_index)].to && packet.size > 0;
    if (!has_pending_) {
      av_packet_unref(&packet);
      continue;
    }
    Track& track = tracks_[static_cast<std::size_t>(packet.stream_index)];
    if (!is_time(packet.dts)) packet.dts = AV_NOPTS_VALUE;
    if (!is_time(packet.pts)) packet.pts = AV_NOPTS_VALUE;
    if (packet.dts == AV_NOPTS_VALUE) packet.dts = packet.pts;
    if (packet.dts == AV_NOPTS_VALUE) packet.dts = track.next == AV_NOPTS_VALUE ? 0 : track.next;
    if (packet.pts == AV_NOPTS_VALUE) packet.pts = packet.dts;
    track.next = packet.dts + (is_time(packet.duration) ? packet.duration : 0);
  }
}

int AudioCopy::write() {
  AVPacket& packet = *pending_;
  const AVStream& from = *input_.context().streams[packet.stream_index];
  Track& track = tracks_[static_cast<std::size_t>(packet.stream_index)];
  av_packet_rescale_ts(&packet, from.time_base, track.to->time_base);
  const std::int64_t shift = av_rescale_q(shift_, shift_base_, track.to->time_base);
  packet.pts += shift;
  packet.dts += shift;
  packet.stream_index = track.to->index;
  packet.pos = -1;
  has_pending_ = false;
  const std::int64_t least = (out_.oformat->flags & AVFMT_TS_NONSTRICT) ? 0 : 1;  // between two packets
  if (track.last != AV_NOPTS_VALUE && packet.dts < track.last + least) {
    if (!told_order_) notes_.emplace_back("audio packets whose time runs backwards are left out");
    told_order_ = true;
    av_packet_unref(&packet);
    return 0;
  }
  track.last = packet.dts;
  return av_interleaved_write_frame(&out_, &packet);
}

int AudioCopy::copy_until(double seconds) {
  for (fetch(); has_pending_; fetch()) {
    const AVStream& from = *input_.context().streams[pending_->stream_index];
    if (static_cast<double>(pending_->dts) * av_q2d(from.time_base) > seconds) break;
    if (const int error = write(); error < 0) return error;
  }
  return 0;
}

}  // namespace fovea::ffmpeg
