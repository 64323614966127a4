// What a container says of its video stream.
#pragma once

#include "datasets/video/input.hpp"
#include "datasets/video/picture.hpp"
#include "datasets/video/reader.hpp"

namespace fovea::ffmpeg {

// The best video stream that is no cover picture, and how to decode it. Throws Error where there is none that can be decoded.
struct VideoStream {
  AVStream* stream = nullptr;
  const AVCodec* codec = nullptr;
};
VideoStream video_stream_of(const Input& input);

Turn turn_of(const AVStream& stream);
VideoFacts facts_of(const Input& input, const AVStream& stream);
// Opened, with the limits of the options.
CodecContext decoder_of(const Input& input, const VideoStream& stream, const VideoOptions& options);

std::int64_t duration_of(const AVFrame& frame);

}  // namespace fovea::ffmpeg
