// Videos made for tests, and what FFmpeg itself finds in a file.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
}

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <vector>

#include "datasets/video/writer.hpp"

namespace fovea::test {

// A soft background with a bright square that moves.
cv::Mat moving_picture(cv::Size size, int k);
double psnr(const cv::Mat& a, const cv::Mat& b);

// Of the frames 0 ... count - 1 the time stamps; a constant rate of ten ticks a frame unless said.
using Stamps = std::function<std::int64_t(int)>;
void write_video(
    const std::filesystem::path& file, const VideoWriterSettings& settings, int count,
    const Stamps& stamps = [](int k) { return std::int64_t{10} * k; });
// The usual one for tests: 96x64, 10 frames a second.
VideoWriterSettings small_settings();

// A copy, packet by packet, by FFmpeg alone.
struct Remux {
  std::string container = "mp4";
  std::optional<std::array<std::int32_t, 9>> matrix = {};  // how it is to be turned
  cv::Size size = {};                                      // that the header claims
  AVCodecID sound = AV_CODEC_ID_NONE;                      // a stream of it is added: a tone of a second, and its pauses
  std::function<void(AVPacket&, int)> change = {};         // each packet of the video, and its number
};
void remux(const std::filesystem::path& from, const std::filesystem::path& to, const Remux& how);

struct RawPacket {
  std::int64_t pts = 0;
  double seconds = 0;
  std::vector<std::uint8_t> bytes;
};
std::vector<RawPacket> packets_of(const std::filesystem::path& file, AVMediaType type);
// Y, U and V of the middle of the first frame, and how it is tagged.
struct RawFrame {
  int y = 0, u = 0, v = 0;
  AVColorSpace space = AVCOL_SPC_UNSPECIFIED;
  AVColorRange range = AVCOL_RANGE_UNSPECIFIED;
};
RawFrame first_frame_of(const std::filesystem::path& file);

std::vector<VideoFrame> frames_of(const std::filesystem::path& file, const VideoOptions& options = {});
std::string bytes_of(const std::filesystem::path& file);
void put_bytes(const std::filesystem::path& file, const std::string& bytes);

}  // namespace fovea::test
