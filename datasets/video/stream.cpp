#include "datasets/video/stream.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "modules/core/error.hpp"

namespace fovea::ffmpeg {
namespace {

double as_rate(AVRational r) { return r.num > 0 && r.den > 0 ? av_q2d(r) : 0; }

// Of FFmpeg 6.1 and later in the codec's parameters, before in the stream.
const std::int32_t* display_matrix(const AVStream& stream) {
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
  const AVCodecParameters& p = *stream.codecpar;
  const AVPacketSideData* side = av_packet_side_data_get(p.coded_side_data, p.nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  const std::uint8_t* data = side ? side->data : nullptr;
  const std::size_t size = side ? side->size : 0;
#else
  std::size_t size = 0;
  const std::uint8_t* data = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
#endif
  return data && size >= 9 * sizeof(std::int32_t) ? reinterpret_cast<const std::int32_t*>(data) : nullptr;
}

// Bare sequences of pictures: FFmpeg counts them at a rate that nobody said.
bool keeps_times(std::string_view container) {
  constexpr std::array<std::string_view, 11> kBare{"mjpeg", "jpeg_pipe", "mpjpeg", "h264",  "hevc",     "vvc",
                                                   "m4v",   "obu",       "vc1",    "dirac", "mpegvideo"};
  return std::find(kBare.begin(), kBare.end(), container) == kBare.end();
}

double seconds_of(const AVFormatContext& context, const AVStream& stream) {
  if (context.duration_estimation_method == AVFMT_DURATION_FROM_BITRATE) return 0;
  double seconds = 0;
  if (stream.duration != AV_NOPTS_VALUE) seconds = static_cast<double>(stream.duration) * av_q2d(stream.time_base);
  else if (context.duration != AV_NOPTS_VALUE) seconds = static_cast<double>(context.duration) / AV_TIME_BASE;
  return seconds > 0 && std::isfinite(seconds) ? seconds : 0;
}

}  // namespace

VideoStream video_stream_of(const Input& input) {
  const AVFormatContext& context = input.context();
  VideoStream found;
  const int index = av_find_best_stream(&input.context(), AVMEDIA_TYPE_VIDEO, -1, -1, &found.codec, 0);
  if (index == AVERROR_DECODER_NOT_FOUND) {
    const auto video = std::find_if(context.streams, context.streams + context.nb_streams,
                                    [](const AVStream* s) { return s->codecpar->codec_type == AVMEDIA_TYPE_VIDEO; });
    check(video != context.streams + context.nb_streams, input.name(), ": no video stream in it");
    fail(input.name(), ": not supported: its codec, ", avcodec_get_name((*video)->codecpar->codec_id),
         ", is not decoded by the FFmpeg on this machine");
  }
  check(index >= 0, input.name(), ": no video stream in it");
  found.stream = context.streams[index];
  check(!(found.stream->disposition & AV_DISPOSITION_ATTACHED_PIC), input.name(), ": no video stream in it but a cover picture");
  return found;
}

Turn turn_of(const AVStream& stream) {
  const std::int32_t* matrix = display_matrix(stream);
  return matrix ? turn_of(matrix) : Turn{};
}

VideoFacts facts_of(const Input& input, const AVStream& stream) {
  const AVFormatContext& context = input.context();
  const AVCodecParameters& parameters = *stream.codecpar;
  const Turn turn = turn_of(stream);
  VideoFacts facts;
  facts.size = {parameters.width, parameters.height};
  facts.rotation = turn.degrees;
  facts.mirrored = turn.mirrored;
  const double aspect = as_rate(stream.sample_aspect_ratio.num ? stream.sample_aspect_ratio : parameters.sample_aspect_ratio);
  facts.sample_aspect = aspect > 0 ? aspect : 1;
  if (turn.swaps_sides()) {
    std::swap(facts.size.width, facts.size.height);
    facts.sample_aspect = 1 / facts.sample_aspect;
  }
  facts.frame_rate = as_rate(stream.avg_frame_rate.num ? stream.avg_frame_rate : stream.r_frame_rate);
  facts.seconds = seconds_of(context, stream);
  facts.frames = std::max<std::int64_t>(stream.nb_frames, 0);
  facts.time_base = {stream.time_base.num, stream.time_base.den};
  facts.has_times = keeps_times(context.iformat->name);
  for (unsigned i = 0; i < context.nb_streams; ++i)
    facts.has_audio = facts.has_audio || context.streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
  facts.codec = avcodec_get_name(parameters.codec_id);
  facts.container = context.iformat->name;
  return facts;
}

CodecContext decoder_of(const Input& input, const VideoStream& video, const VideoOptions& options) {
  const AVCodecParameters& parameters = *video.stream->codecpar;
  check(std::int64_t{parameters.width} * parameters.height <= options.most_pixels, input.name(),
        ": too large: ", parameters.width, "x", parameters.height, ", at most ", options.most_pixels, " pixels");
  check(options.threads >= 1, input.name(), ": expected 1 thread or more to decode it, got ", options.threads);
  CodecContext decoder(allocated(avcodec_alloc_context3(video.codec)));
  if (const int error = avcodec_parameters_to_context(decoder.get(), &parameters); error < 0)
    fail(input.name(), ": cannot be decoded: ", reason(error));
  decoder->pkt_timebase = video.stream->time_base;
  decoder->thread_count = options.threads;
  // FFmpeg counts the edges that it rounds sizes up to, too; the exact limit is the reader's.
  decoder->max_pixels = options.most_pixels + options.most_pixels / 16 + (1 << 16);
  if (input.is_address() && options.low_latency) {
    decoder->flags |= AV_CODEC_FLAG_LOW_DELAY;
    decoder->thread_type = FF_THREAD_SLICE;  // the other kind holds a frame back for each thread
  }
  if (const int error = avcodec_open2(decoder.get(), video.codec, nullptr); error < 0)
    fail(input.name(), ": not supported: ", facts_of(input, *video.stream).codec, " of this kind: ", reason(error));
  return decoder;
}

std::int64_t duration_of(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
  const std::int64_t duration = frame.duration;
#else
  const std::int64_t duration = frame.pkt_duration;
#endif
  return duration > 0 ? duration : 0;
}

}  // namespace fovea::ffmpeg
