#include "tests/datasets/video/videos.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <opencv2/imgproc.hpp>
#include <sstream>

#include "datasets/video/ffmpeg.hpp"
#include "modules/core/error.hpp"

namespace fovea::test {
namespace fs = std::filesystem;
namespace {

using namespace fovea::ffmpeg;

void need(int result, const char* what) { check(result >= 0, "test video: ", what, ": ", reason(result)); }

InputContext opened(const fs::path& file) {
  listen();
  AVFormatContext* context = nullptr;
  need(avformat_open_input(&context, file.c_str(), nullptr, nullptr), "open");
  InputContext owner(context);
  need(avformat_find_stream_info(context, nullptr), "streams");
  return owner;
}

void set_matrix(AVStream& stream, const std::array<std::int32_t, 9>& matrix) {
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
  AVCodecParameters& p = *stream.codecpar;
  std::uint8_t* to =
      av_packet_side_data_new(&p.coded_side_data, &p.nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX, sizeof(matrix), 0)->data;
#else
  std::uint8_t* to = av_stream_new_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, sizeof(matrix));
#endif
  std::memcpy(to, matrix.data(), sizeof(matrix));
}

constexpr int kRate = 48000;

CodecContext sound_encoder(AVCodecID id, bool global_header) {
  const AVCodec* codec = avcodec_find_encoder(id);
  check(codec != nullptr, "test video: no encoder of this sound");
  CodecContext encoder(allocated(avcodec_alloc_context3(codec)));
  encoder->sample_rate = kRate;
  encoder->sample_fmt = id == AV_CODEC_ID_AAC ? AV_SAMPLE_FMT_FLTP : AV_SAMPLE_FMT_S16;
  encoder->time_base = {1, kRate};
  av_channel_layout_default(&encoder->ch_layout, 1);
  if (global_header) encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  need(avcodec_open2(encoder.get(), codec, nullptr), "sound");
  return encoder;
}

void fill_tone(AVFrame& frame, std::int64_t from) {
  for (int i = 0; i < frame.nb_samples; ++i) {
    const double t = static_cast<double>(from + i) / kRate, level = std::sin(t * 2765) * (std::fmod(t, 0.5) < 0.3 ? 0.4 : 0);
    if (frame.format == AV_SAMPLE_FMT_FLTP) reinterpret_cast<float*>(frame.data[0])[i] = static_cast<float>(level);
    else reinterpret_cast<std::int16_t*>(frame.data[0])[i] = static_cast<std::int16_t>(level * 32767);
  }
}

void write_sound(AVCodecContext& encoder, AVFormatContext& out, const AVStream& stream) {
  const Packet packet(allocated(av_packet_alloc()));
  const auto pass_on = [&] {
    while (avcodec_receive_packet(&encoder, packet.get()) == 0) {
      packet->stream_index = stream.index;
      av_packet_rescale_ts(packet.get(), encoder.time_base, stream.time_base);
      need(av_interleaved_write_frame(&out, packet.get()), "write sound");
    }
  };
  const int size = encoder.frame_size > 0 ? encoder.frame_size : 1024;
  for (std::int64_t at = 0; at < kRate; at += size) {
    const Frame frame(allocated(av_frame_alloc()));
    frame->nb_samples = size;
    frame->format = encoder.sample_fmt;
    frame->sample_rate = kRate;
    need(av_channel_layout_copy(&frame->ch_layout, &encoder.ch_layout), "sound");
    need(av_frame_get_buffer(frame.get(), 0), "sound");
    fill_tone(*frame, at);
    frame->pts = at;
    need(avcodec_send_frame(&encoder, frame.get()), "sound");
    pass_on();
  }
  need(avcodec_send_frame(&encoder, nullptr), "sound");
  pass_on();
}

}  // namespace

cv::Mat moving_picture(cv::Size size, int k) {
  cv::Mat out(size, CV_8UC3);
  for (int y = 0; y < size.height; ++y)
    for (int x = 0; x < size.width; ++x)
      out.at<cv::Vec3b>(y, x) = cv::Vec3b(cv::saturate_cast<std::uint8_t>(40 + 150 * x / size.width),
                                          cv::saturate_cast<std::uint8_t>(200 - 150 * y / size.height),
                                          cv::saturate_cast<std::uint8_t>(100 + 60 * std::sin(0.2 * k + 3.0 * x / size.width)));
  const int side = std::max(2, std::min(size.width, size.height) / 4);
  const cv::Rect square(k * 3 % std::max(1, size.width - side), size.height / 3, side, side);
  out(square & cv::Rect({0, 0}, size)).setTo(cv::Scalar(230, 230, 230));
  return out;
}

double psnr(const cv::Mat& a, const cv::Mat& b) {
  check(a.size() == b.size() && a.type() == b.type(), "psnr: pictures of different sizes");
  const double error = cv::norm(a, b, cv::NORM_L2SQR) / (static_cast<double>(a.total()) * a.channels());
  return error > 0 ? 10 * std::log10(255 * 255 / error) : 100;
}

VideoWriterSettings small_settings() { return {.size = {96, 64}, .time_base = {1, 100}, .frame_rate = 10, .preset = "veryfast"}; }

void write_video(const fs::path& file, const VideoWriterSettings& settings, int count, const Stamps& stamps) {
  VideoWriter out(file, settings);
  for (int k = 0; k < count; ++k)
    out.write(moving_picture(settings.size, k), stamps(k), k + 1 < count ? stamps(k + 1) - stamps(k) : 0);
  out.finish();
}

void remux(const fs::path& from, const fs::path& to, const Remux& how) {
  const InputContext in = opened(from);
  AVFormatContext* raw = nullptr;
  need(avformat_alloc_output_context2(&raw, nullptr, how.container.c_str(), nullptr), "container");
  const OutputContext out(raw);
  AVStream* stream = allocated(avformat_new_stream(raw, nullptr));
  need(avcodec_parameters_copy(stream->codecpar, in->streams[0]->codecpar), "parameters");
  stream->codecpar->codec_tag = 0;
  stream->time_base = in->streams[0]->time_base;
  if (!how.size.empty()) stream->codecpar->width = how.size.width, stream->codecpar->height = how.size.height;
  if (how.matrix) set_matrix(*stream, *how.matrix);
  CodecContext encoder;
  AVStream* sound = nullptr;
  if (how.sound != AV_CODEC_ID_NONE) {
    encoder = sound_encoder(how.sound, (raw->oformat->flags & AVFMT_GLOBALHEADER) != 0);
    sound = allocated(avformat_new_stream(raw, nullptr));
    need(avcodec_parameters_from_context(sound->codecpar, encoder.get()), "parameters");
    sound->time_base = encoder->time_base;
  }
  need(avio_open(&raw->pb, to.c_str(), AVIO_FLAG_WRITE), "create");
  need(avformat_write_header(raw, nullptr), "header");
  if (sound) write_sound(*encoder, *raw, *sound);
  const Packet packet(allocated(av_packet_alloc()));
  for (int k = 0; av_read_frame(in.get(), packet.get()) >= 0; ++k) {
    av_packet_rescale_ts(packet.get(), in->streams[0]->time_base, stream->time_base);
    if (how.change) how.change(*packet, k);
    packet->pos = -1;
    need(av_interleaved_write_frame(raw, packet.get()), "write");
  }
  need(av_write_trailer(raw), "trailer");
}

std::vector<RawPacket> packets_of(const fs::path& file, AVMediaType type) {
  const InputContext in = opened(file);
  const Packet packet(allocated(av_packet_alloc()));
  std::vector<RawPacket> out;
  for (; av_read_frame(in.get(), packet.get()) >= 0; av_packet_unref(packet.get())) {
    const AVStream& stream = *in->streams[packet->stream_index];
    if (stream.codecpar->codec_type != type) continue;
    out.push_back(
        {packet->pts, static_cast<double>(packet->pts) * av_q2d(stream.time_base), {packet->data, packet->data + packet->size}});
  }
  return out;
}

RawFrame first_frame_of(const fs::path& file) {
  const InputContext in = opened(file);
  const AVCodecParameters& parameters = *in->streams[0]->codecpar;
  const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
  const CodecContext decoder(allocated(avcodec_alloc_context3(codec)));
  need(avcodec_parameters_to_context(decoder.get(), &parameters), "parameters");
  need(avcodec_open2(decoder.get(), codec, nullptr), "decoder");
  const Packet packet(allocated(av_packet_alloc()));
  const Frame frame(allocated(av_frame_alloc()));
  int result = AVERROR(EAGAIN);
  while (result == AVERROR(EAGAIN)) {
    if (av_read_frame(in.get(), packet.get()) < 0) need(avcodec_send_packet(decoder.get(), nullptr), "end");
    else need(avcodec_send_packet(decoder.get(), packet.get()), "packet");
    av_packet_unref(packet.get());
    result = avcodec_receive_frame(decoder.get(), frame.get());
  }
  need(result, "decode");
  const auto at = [&](int plane, int part) {
    return frame->data[plane][frame->height / 2 / part * frame->linesize[plane] + frame->width / 2 / part];
  };
  return {at(0, 1), at(1, 2), at(2, 2), frame->colorspace, frame->color_range};
}

std::vector<VideoFrame> frames_of(const fs::path& file, const VideoOptions& options) {
  VideoReader video(file.string(), options);
  std::vector<VideoFrame> out;
  while (auto frame = video.next()) out.push_back(std::move(*frame));
  return out;
}

std::string bytes_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

void put_bytes(const fs::path& file, const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }

}  // namespace fovea::test
